/** What an admin may ask of a running head. Arguments and answers are plain JSON: the head checks arguments, answers are for people. */
export const adminActions = [
  'token-create',
  'token-ls',
  'token-revoke',
  'node-ls',
  'node-approve',
  'node-drain',
  'node-undrain',
  'node-revoke',
] as const;
export type AdminAction = (typeof adminActions)[number];
