import type { settings as en } from "../en/settings";
import type { Words } from "../words";

export const settings: Words<typeof en> = {
  lock: {
    locked: "Virtual Lab Manager est verrouillé",
    goesOn: "Les opérations en cours continuent.",
    passphrase: "Phrase secrète",
    unlock: "Déverrouiller",
    wrong: "Ce n’est pas la phrase secrète",
  },
};
