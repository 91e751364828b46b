export const settings = {
  lock: {
    locked: "Virtual Lab Manager is locked",
    goesOn: "Runs that are at work go on.",
    passphrase: "Passphrase",
    unlock: "Unlock",
    wrong: "That is not the passphrase",
  },
};
