export const labs = {};
