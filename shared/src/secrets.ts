/** Secrets that must not appear in a log or on a screen, and their masks. */

/** The last `@` before the path ends the password, as in every URL parser. */
const URL_PASSWORD = /(\b[a-z][a-z\d+.-]*:\/\/[^\s/:@"]*):[^\s/"]*@/gi;
const JOIN_TOKEN = /\bMUSTER1-[\w-]+/g;
const API_TOKEN = /\b(muster_[\da-f]{16})_[\w-]+/g;
const JWT = /\beyJ[\w-]+\.[\w-]+\.[\w-]*/g;
const PRIVATE_KEY = /(-----BEGIN [A-Z ]*PRIVATE KEY-----)[^]*?(-----END [A-Z ]*PRIVATE KEY-----)/g;

/** The same text without passwords of URLs, join tokens, API tokens, JWTs and private keys; the masks show which kind was there. */
export const masked = (text: string): string =>
  text
    .replace(URL_PASSWORD, '$1:***@')
    .replace(JOIN_TOKEN, 'MUSTER1-***')
    .replace(API_TOKEN, '$1_***')
    .replace(JWT, 'eyJ***')
    .replace(PRIVATE_KEY, '$1***$2');
