// What the vector test puts into the browser: the page's own modules, nothing rewritten.
export * as bytes from '../../src/shared/bytes';
export * as code from '../../src/ticket/code';
export * as keys from '../../src/ticket/keys';
