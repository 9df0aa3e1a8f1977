// Contentful's own management client against a running Postrider, through the whole life of webhooks.
//
// Told by the first argument, as JSON:
//   host     "127.0.0.1:1234", http
//   space    the space's id
//   token    of an admin
//   viewer   a token that may only look
//   stranger a token of another space
//   target   a URL that takes calls
//   called   the id of a webhook that made one call, answered with 200
//   refused  the id of a webhook that made one call, answered with 404
//   dead     the id of a webhook that made one call, where nobody listens
// Every test stands for itself: one that fails does not hide the others.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const contentful = require('contentful-management');

const { host, space, token, viewer, stranger, target, called, refused, dead } = JSON.parse(process.argv[2]);

// Everything but the host is as its documentation has it. A refusal is looked at, not tried again.
const settings = (accessToken) => ({ accessToken, host, insecure: true, retryOnError: false });
const plain = (accessToken) =>
  contentful.createClient(settings(accessToken), { type: 'plain', defaults: { spaceId: space } }).webhook;
// The client of old, with methods on what it hands out. Version 11 takes any type but `plain` for it.
const legacy = () => contentful.createClient(settings(token), { type: 'legacy' });
const nested = () => legacy().getSpace(space);
const webhooks = plain(token);

const definition = (more) => ({ name: 'n', url: target, topics: ['Nothing.ever'], ...more });
const link = (linkType, id) => ({ sys: { type: 'Link', linkType, id } });
const of = (webhook) => ({ webhookDefinitionId: webhook.sys.id });

// What the client makes of an error: its name is `sys.id`, its message holds the rest as JSON.
const refusal = async (call) => {
  const error = await call.then(() => assert.fail('it was taken'), (error) => error);
  const { status, message, requestId, details } = JSON.parse(error.message);
  assert.ok(message, 'an error says what is wrong');
  assert.ok(requestId, 'an error names its request');
  return { name: error.name, status, message, details };
};
const refusedAs = async (name, status, call) => {
  const error = await refusal(call);
  assert.deepEqual([error.name, error.status], [name, status]);
  return error;
};

test('plain: create, get, update, delete', async () => {
  const made = await webhooks.create({}, definition({
    name: 'all',
    topics: ['Entry.publish', 'Asset.*'],
    headers: [{ key: 'X-Open', value: 'shown' }, { key: 'X-Key', value: 'hidden', secret: true }],
    httpBasicUsername: 'user',
    httpBasicPassword: 'password',
    filters: [
      { equals: [{ doc: 'sys.environment.sys.id' }, 'master'] },
      { not: { in: [{ doc: 'sys.contentType.sys.id' }, ['a', 'b']] } },
      { regexp: [{ doc: 'sys.id' }, { pattern: '^x' }] },
    ],
    transformation: { method: 'PUT' },
    active: false,
  }));
  assert.equal(made.sys.type, 'WebhookDefinition');
  assert.equal(made.sys.version, 0);
  assert.deepEqual(made.sys.space, link('Space', space));
  assert.equal(made.sys.createdBy.sys.linkType, 'User');
  assert.ok(!Number.isNaN(Date.parse(made.sys.createdAt)) && made.sys.updatedAt === made.sys.createdAt);
  assert.deepEqual(made.headers, [{ key: 'X-Open', value: 'shown' }, { key: 'X-Key', secret: true }]);
  assert.equal(made.httpBasicUsername, 'user');
  assert.ok(!JSON.stringify(made).includes('hidden') && !JSON.stringify(made).includes('password'));
  assert.equal(made.filters.length, 3);
  assert.deepEqual(made.transformation, { method: 'PUT' });
  assert.equal(made.active, false);

  assert.deepEqual(await webhooks.get(of(made)), made);

  const changed = await webhooks.update(of(made), { ...made, name: 'changed', topics: ['*.*'], active: true });
  assert.deepEqual([changed.sys.id, changed.sys.version], [made.sys.id, 1]);
  assert.deepEqual([changed.name, changed.topics, changed.active], ['changed', ['*.*'], true]);
  assert.deepEqual(changed.headers, made.headers);
  assert.deepEqual(await webhooks.get(of(made)), changed);

  await webhooks.delete(of(made));
  await refusedAs('NotFound', 404, webhooks.get(of(made)));
  await refusedAs('NotFound', 404, webhooks.delete(of(made)));
});

test('plain: what may be null or left out', async () => {
  const made = await webhooks.create({}, definition({
    filters: null, transformation: null, httpBasicUsername: null, httpBasicPassword: null, headers: null,
  }));
  assert.deepEqual([made.active, made.headers], [true, []]);
  const off = await webhooks.update(of(made), { ...made, active: false, headers: [{ key: 'X-A', value: 'a' }] });
  assert.equal(off.active, false);
  // An update replaces all: without `active` it is on, without `headers` there are none.
  const on = await webhooks.update(of(made), { ...definition(), sys: off.sys });
  assert.deepEqual([on.active, on.headers, on.sys.version], [true, [], 2]);
  await webhooks.delete(of(made));
});

test('plain: an update with a stale version', async () => {
  const made = await webhooks.create({}, definition());
  const changed = await webhooks.update(of(made), { ...made, name: 'first' });
  const error = await refusedAs('VersionMismatch', 409, webhooks.update(of(made), { ...made, name: 'second' }));
  assert.match(error.message, /0.*1|1.*0/s, 'both versions are said');
  assert.deepEqual(await webhooks.get(of(made)), changed);
  await webhooks.delete(of(made));
});

test('plain: a list in pages, in the order asked for', async () => {
  const names = ['page b', 'page c', 'page a'];
  const made = [];
  for (const name of names) made.push(await webhooks.create({}, definition({ name })));
  const all = await webhooks.getMany({});
  assert.deepEqual([all.sys.type, all.skip, all.limit, all.total], ['Array', 0, 100, all.items.length]);

  const ids = [];
  for (let skip = 0; skip < all.total; skip += 2) {
    const page = await webhooks.getMany({ query: { skip, limit: 2, order: 'sys.id' } });
    assert.deepEqual([page.skip, page.limit, page.total], [skip, 2, all.total]);
    assert.equal(page.items.length, Math.min(2, all.total - skip));
    ids.push(...page.items.map((webhook) => webhook.sys.id));
  }
  assert.deepEqual(ids, all.items.map((webhook) => webhook.sys.id).sort());

  const named = async (order) => {
    const { items } = await webhooks.getMany({ query: { order } });
    return items.map((webhook) => webhook.name).filter((name) => name.startsWith('page'));
  };
  assert.deepEqual(await named('name'), ['page a', 'page b', 'page c']);
  assert.deepEqual(await named('-name'), ['page c', 'page b', 'page a']);
  const error = await refusedAs('InvalidQuery', 400, webhooks.getMany({ query: { order: 'sys.nothing' } }));
  assert.match(error.message, /order/);
  for (const webhook of made) await webhooks.delete(of(webhook));
});

test('plain: calls, call details, health', async () => {
  const list = await webhooks.getManyCallDetails({ webhookDefinitionId: called, query: { limit: 5, skip: 0 } });
  assert.deepEqual([list.sys.type, list.total, list.skip, list.limit], ['Array', 1, 0, 5]);
  const [call] = list.items;
  assert.equal(call.sys.type, 'WebhookCallOverview');
  assert.deepEqual(call.sys.space, link('Space', space));
  assert.deepEqual(call.sys.createdBy, link('WebhookDefinition', called));
  assert.deepEqual([call.statusCode, call.errors, call.eventType], [200, [], 'publish']);
  assert.ok(Date.parse(call.responseAt) >= Date.parse(call.requestAt));

  const details = await webhooks.getCallDetails({ webhookDefinitionId: called, callId: call.sys.id });
  assert.deepEqual([details.sys.type, details.sys.id], ['WebhookCallDetails', call.sys.id]);
  assert.deepEqual([details.request.method, details.request.url], ['POST', call.url]);
  assert.equal(typeof details.request.body, 'string');
  assert.equal(details.response.statusCode, 200);
  assert.equal(typeof details.response.headers, 'object');

  const health = await webhooks.getHealthStatus({ webhookDefinitionId: called });
  assert.deepEqual([health.sys.type, health.sys.id], ['Webhook', called]);
  assert.deepEqual(health.calls, { total: 1, healthy: 1 });
  const ill = await webhooks.getHealthStatus({ webhookDefinitionId: refused });
  assert.deepEqual(ill.calls, { total: 1, healthy: 0 });
  const [fault] = (await webhooks.getManyCallDetails({ webhookDefinitionId: refused })).items;
  assert.equal(fault.statusCode, 404);
  const [unheard] = (await webhooks.getManyCallDetails({ webhookDefinitionId: dead })).items;
  assert.deepEqual([unheard.statusCode, unheard.responseAt, unheard.errors.length], [null, null, 1]);
  const unanswered = await webhooks.getCallDetails({ webhookDefinitionId: dead, callId: unheard.sys.id });
  assert.equal(unanswered.response, null);

  const none = '00000000-0000-0000-0000-000000000000';
  await refusedAs('NotFound', 404, webhooks.getCallDetails({ webhookDefinitionId: called, callId: none }));
  await refusedAs('NotFound', 404, webhooks.getCallDetails({ webhookDefinitionId: refused, callId: call.sys.id }));
  await refusedAs('NotFound', 404, webhooks.getCallDetails({ webhookDefinitionId: called, callId: 'none' }));
  await refusedAs('NotFound', 404, webhooks.getHealthStatus({ webhookDefinitionId: 'nobody' }));
  await refusedAs('NotFound', 404, webhooks.getManyCallDetails({ webhookDefinitionId: 'nobody' }));
});

test('plain: what cannot be taken is named with its path', async () => {
  const paths = (error) => error.details.errors.map(({ path }) => path).sort();
  const missing = await refusedAs('ValidationFailed', 422, webhooks.create({}, {}));
  assert.deepEqual(paths(missing), ['name', 'topics', 'url']);
  const empty = await refusedAs('ValidationFailed', 422, webhooks.create({}, definition({ topics: [] })));
  assert.deepEqual(paths(empty), ['topics']);
  const wrong = { url: 'no url', headers: [{ key: 'a b', value: 'x' }], filters: [{ equals: 'x' }] };
  const several = await refusedAs('ValidationFailed', 422, webhooks.create({}, definition(wrong)));
  assert.deepEqual(paths(several), ['filters[0]', 'headers[0].key', 'url']);
});

test('a space that has no signing secret and no retry policy', async () => {
  for (const call of ['getSigningSecret', 'deleteSigningSecret', 'getRetryPolicy', 'deleteRetryPolicy']) {
    await refusedAs('NotFound', 404, webhooks[call]({}));
  }
  const here = await nested();
  await refusedAs('NotFound', 404, here.getWebhookSigningSecret());
  await refusedAs('NotFound', 404, here.getWebhookRetryPolicy());
});

// Set, read, replaced, deleted, and refused with the path of what is wrong, by both kinds of client.
const life = async ({ get, upsert, remove }, { type, first, second, shown, wrong, path }) => {
  const made = await upsert(first);
  assert.equal(made.sys.type, type);
  assert.deepEqual(made.sys.space, link('Space', space));
  assert.deepEqual(shown(made), shown(await get()));
  const replaced = await upsert(second);
  assert.notDeepEqual(shown(replaced), shown(made));
  assert.deepEqual(shown(await get()), shown(replaced));
  assert.ok(!first.value || !JSON.stringify([made, replaced]).includes(first.value));
  for (const bad of wrong) {
    const error = await refusedAs('ValidationFailed', 422, upsert(bad));
    assert.deepEqual(error.details.errors.map((fault) => fault.path), [path]);
  }
  assert.deepEqual(shown(await get()), shown(replaced), 'what was refused changed nothing');
  await remove();
  await refusedAs('NotFound', 404, get());
};

const signingSecret = {
  type: 'WebhookSigningSecret',
  first: { value: 'aZ09+/=_-b'.repeat(6) + 'wxyz' },
  second: { value: 'b'.repeat(64) },
  shown: ({ redactedValue }) => redactedValue,
  wrong: [{}, { value: 'short' }, { value: ' '.repeat(64) }, { value: 7 }],
  path: 'value',
};
const retryPolicy = {
  type: 'WebhookRetryPolicy',
  first: { maxRetries: 2 },
  second: { maxRetries: 99 },
  shown: ({ maxRetries }) => maxRetries,
  wrong: [{}, { maxRetries: 1 }, { maxRetries: 100 }, { maxRetries: 'two' }],
  path: 'maxRetries',
};

test('plain: the signing secret and the retry policy of a space', async () => {
  await life({
    get: () => webhooks.getSigningSecret({}),
    upsert: (value) => webhooks.upsertSigningSecret({}, value),
    remove: () => webhooks.deleteSigningSecret({}),
  }, signingSecret);
  await life({
    get: () => webhooks.getRetryPolicy({}),
    upsert: (value) => webhooks.upsertRetryPolicy({}, value),
    remove: () => webhooks.deleteRetryPolicy({}),
  }, retryPolicy);
  assert.equal((await refusal(plain(viewer).upsertSigningSecret({}, signingSecret.first))).name, 'AccessDenied');
  assert.equal((await refusal(plain(viewer).deleteRetryPolicy({}))).name, 'AccessDenied');
});

test('nested: the signing secret and the retry policy of a space', async () => {
  const here = await nested();
  await life({
    get: () => here.getWebhookSigningSecret(),
    upsert: (value) => here.upsertWebhookSigningSecret(value),
    remove: () => here.deleteWebhookSigningSecret(),
  }, signingSecret);
  await life({
    get: () => here.getWebhookRetryPolicy(),
    upsert: (value) => here.upsertWebhookRetryPolicy(value),
    remove: () => here.deleteWebhookRetryPolicy(),
  }, retryPolicy);
});

test('plain: who may not', async () => {
  await refusedAs('AccessTokenInvalid', 401, plain('prt_nobody').getMany({}));
  assert.ok((await plain(viewer).getMany({})).total >= 2);
  await refusedAs('AccessDenied', 403, plain(viewer).create({}, definition()));
  await refusedAs('AccessDenied', 403, plain(viewer).delete({ webhookDefinitionId: called }));
  // Another space's token does not learn that this one is there.
  await refusedAs('NotFound', 404, plain(stranger).getMany({}));
});

test('nested: the same life', async () => {
  const here = await nested();
  assert.deepEqual([here.sys.type, here.sys.id], ['Space', space]);
  const made = await here.createWebhook(definition());
  assert.deepEqual(await here.createWebhookWithId('my-own', definition({ name: 'mine' })).then(({ sys, name }) =>
    [sys.id, sys.version, name]), ['my-own', 0, 'mine']);

  const mine = await here.getWebhook('my-own');
  mine.name = 'still mine';
  const changed = await mine.update();
  assert.deepEqual([changed.name, changed.sys.version], ['still mine', 1]);
  await refusedAs('VersionMismatch', 409, mine.update());

  const { items, total } = await here.getWebhooks();
  assert.equal(items.length, total);
  assert.ok([made.sys.id, 'my-own', called].every((id) => items.some(({ sys }) => sys.id === id)));

  assert.deepEqual((await changed.getHealth()).calls, { total: 0, healthy: 0 });
  const busy = await here.getWebhook(called);
  const [call] = (await busy.getCalls()).items;
  assert.equal((await busy.getCall(call.sys.id)).response.statusCode, 200);

  await changed.delete();
  await made.delete();
  await refusedAs('NotFound', 404, here.getWebhook('my-own'));
});

test('nested: spaces and environments', async () => {
  const client = legacy();
  const spaces = await client.getSpaces();
  assert.ok(spaces.items.some(({ sys }) => sys.id === space));
  const environments = await (await nested()).getEnvironments();
  assert.ok(environments.items.some(({ sys }) => sys.id === 'master'));
  assert.equal((await (await nested()).getEnvironment('master')).sys.type, 'Environment');
  await refusedAs('NotFound', 404, client.getSpace('nowhere'));
});
