// Contentful's own toolkit verifies requests: one JSON object per line on standard input, `true` or `false` per line on
// standard output, in the same order.
//
//   secret   the signing secret, 64 characters
//   method   "POST"
//   path     path and query, as they stood in the request line
//   headers  by name
//   body     a text; absent or empty for none
//   ttl      how many seconds old the request may be: 30 unless given, as long as the toolkit says; 0 is any age
//
// What the toolkit refuses to look at, or finds too old, is `false`; why is said on standard error.
'use strict';

const { createInterface } = require('node:readline');
const { verifyRequest } = require('@contentful/node-apps-toolkit');

const verified = ({ secret, ttl, ...request }) => {
  try {
    return verifyRequest(secret, request, ttl);
  } catch (error) {
    console.error(`${request.method} ${request.path}: ${error.name}: ${error.message}`);
    return false;
  }
};

createInterface({ input: process.stdin }).on('line', (line) => {
  if (line) console.log(String(verified(JSON.parse(line))));
});
