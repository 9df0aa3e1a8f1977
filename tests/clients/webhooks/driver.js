// The official libraries of Standard Webhooks and CloudEvents, unchanged: one JSON object per line on standard input, its answer
// as JSON per line on standard output, in the same order.
//
//   {"do": "verify", "secret", "headers", "body"}                true or false: standardwebhooks
//   {"do": "sign", "secret", "id", "body"}                       the headers of a message that is sent now: standardwebhooks
//   {"do": "parse", "headers", "body"}                           the event of an HTTP message: cloudevents
//   {"do": "emit", "url", "token", "mode", "event"}              sends it; the answer's body: cloudevents
'use strict';

const { createInterface } = require('node:readline');
const { CloudEvent, HTTP, Mode, emitterFor, httpTransport } = require('cloudevents');
const { Webhook } = require('standardwebhooks');

const does = {
  verify({ secret, headers, body }) {
    try {
      new Webhook(secret).verify(body, headers);
      return true;
    } catch (error) {
      console.error(`${error.name}: ${error.message}`);
      return false;
    }
  },
  sign({ secret, id, body }) {
    const now = new Date();
    return {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': new Webhook(secret).sign(id, now, body),
    };
  },
  parse({ headers, body }) {
    const event = HTTP.toEvent({ headers, body });
    event.validate();
    return event;
  },
  async emit({ url, token, mode, event }) {
    const emit = emitterFor(httpTransport(url), { mode: Mode[mode] });
    const answer = await emit(new CloudEvent(event), { headers: { authorization: `Bearer ${token}` } });
    return JSON.parse(answer.body);
  },
};

(async () => {
  for await (const line of createInterface({ input: process.stdin })) {
    if (!line) continue;
    const asked = JSON.parse(line);
    console.log(JSON.stringify(await does[asked.do](asked)));
  }
})();
