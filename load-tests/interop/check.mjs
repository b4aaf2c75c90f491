// Interoperability: a client and a service in JavaScript, written against the wire contract alone,
// with Tideover's gateway between them. Prints a line for each check; exit code 0 if all passed.
//
//   node check.mjs PROJECT-DIRECTORY        (load-tests/interop/run builds, then calls this)
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import assert from 'node:assert/strict'
import { Kafka, Partitioners, logLevel } from 'kafkajs'
import { closeConnections, send } from './http.mjs'
import { start, stopAll } from './processes.mjs'
import { RequestTopic } from './records.mjs'
import { fingerprint } from './wire.mjs'

const BOUND_MILLIS = 180_000
const root = process.argv[2]
const here = fileURLToPath(new URL('.', import.meta.url))
const PARTITIONS = 12 // the default of a service
const service = 'interop'
const everyByte = Buffer.from(Array.from({ length: 1024 }, (_, i) => i % 256))

const checks = {
  'GET with a query: path and query arrive as they were sent': async ({ port }) => {
    const path = '/echo/a%20b/%C3%A9?x=1&y=%C3%A9&empty=&x=2'
    const response = await send(port, 'GET', path)
    completed(response, 200)
    assert.equal(response.first('x-path'), path)
    assert.equal(response.first('x-method'), 'GET')
    assert.equal(response.first('x-scheme'), 'http')
    assert.equal(response.first('x-authority'), `127.0.0.1:${port}`)
    assert.equal(response.body.length, 0)
  },

  'every method that carries a body, every byte value both ways': async ({ port }) => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      const type = 'application/octet-stream'
      const response = await send(port, method, '/echo', [['Content-Type', type]], everyByte)
      completed(response, 200)
      assert.equal(response.first('x-method'), method)
      assert.deepEqual(response.all('content-type'), [type])
      assert.ok(response.body.equals(everyByte), `${method}: the body came back changed`)
    }
  },

  'half a mebibyte of random bytes comes back unchanged': async ({ port }) => {
    const body = randomBytes(512 * 1024)
    const response = await send(port, 'POST', '/echo', [], body)
    completed(response, 200)
    const sha = bytes => createHash('sha256').update(bytes).digest('hex')
    assert.equal(sha(response.body), sha(body))
  },

  'repeated field lines stay repeated and in order, both ways': async ({ port }) => {
    const values = ['first', 'second, with a comma', 'first', '']
    const fields = values.map(value => ['X-Repeated', value])
    const response = await send(port, 'POST', '/echo', fields, Buffer.from('x'))
    completed(response, 200)
    assert.deepEqual(response.all('x-repeated'), values)
  },

  'non-ASCII field values pass as UTF-8, both ways': async ({ port }) => {
    const text = 'Käse, 日本語 and 🧀'
    const response = await send(port, 'POST', '/echo', [['X-Text', text]], Buffer.from('x'))
    completed(response, 200)
    assert.equal(response.first('x-text'), text)
    assert.equal(response.first('x-answer'), 'grüße ✓ 日本')
  },

  'fields of one hop do not pass on the way back': async ({ port }) => {
    const response = await send(port, 'POST', '/echo', [], Buffer.from('x'))
    completed(response, 200)
    assert.deepEqual(response.all('x-hop'), [])
    assert.ok(!response.all('keep-alive').includes('timeout=77'))
  },

  'HEAD has the fields and the length of the answer, and no body': async ({ port }) => {
    const response = await send(port, 'HEAD', '/echo?h', [['X-Repeated', 'a']])
    completed(response, 200)
    assert.equal(response.first('x-method'), 'HEAD')
    assert.equal(response.first('content-length'), '4321')
    assert.equal(response.body.length, 0)
  },

  '204 has no content and no length': async ({ port }) => {
    const response = await send(port, 'POST', '/status/204', [], Buffer.from('x'))
    completed(response, 204)
    assert.equal(response.body.length, 0)
    assert.deepEqual(response.all('content-length'), [])
  },

  "the service's own 4xx and 5xx are its answers, with their bodies": async ({ port }) => {
    for (const status of [400, 404, 409, 418, 500, 503]) {
      const response = await send(port, 'POST', `/status/${status}`, [], Buffer.from('x'))
      completed(response, status)
      assert.equal(response.body.toString('utf8'), `status ${status} ✓`)
      assert.equal(response.first('x-note'), 'the service says so')
    }
  },

  'wait over: 202, and the address answers with the reply in the end': async ({ port }) => {
    const body = Buffer.from('worth waiting for')
    const prefer = [['Prefer', 'wait=1']]
    const response = await send(port, 'POST', '/slow?ms=2500', prefer, body)
    accepted(response)
    const answer = await follow(port, response)
    completed(answer, 201)
    assert.ok(answer.body.equals(body))
    assert.equal(answer.first('tideover-id'), response.first('tideover-id'))
  },

  'respond-async: 202 at once, and the address answers in the end': async ({ port }) => {
    const prefer = [['Prefer', 'respond-async']]
    const response = await send(port, 'POST', '/echo', prefer, everyByte)
    accepted(response)
    const answer = await follow(port, response)
    completed(answer, 200)
    assert.ok(answer.body.equals(everyByte))
  },

  'what has no route is refused by the gateway and stored nowhere': async ({ port }) => {
    const response = await send(port, 'GET', '/elsewhere')
    assert.equal(response.status, 404)
    assert.equal(response.first('tideover-source'), 'gateway')
    assert.equal(response.first('tideover-outcome'), 'not-accepted')
    assert.match(response.first('content-type'), /^application\/problem\+json/)
    const problem = JSON.parse(response.body.toString('utf8'))
    for (const name of ['type', 'title', 'status', 'detail', 'code', 'retryable']) {
      assert.ok(name in problem, `the problem has no ${name}`)
    }
  },

  'the record in Kafka has every header of the contract, and no other': async ({ port, topic }) => {
    const sent = [
      ['Content-Type', 'text/x-check'],
      ['X-Repeated', 'one'],
      ['Accept', '*/*'],
      ['X-Repeated', 'two'],
      ['X-Text', 'ÿ – 🧀'],
      ['Traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
      ['Tideover-Id', 'forged'],
      ['Tideover-Reply-To', 'other/0'],
      ['Connection', 'keep-alive, X-Hop'],
      ['X-Hop', 'for the gateway alone'],
      ['TE', 'trailers'],
    ]
    const before = Date.now()
    const path = '/echo/record?q=%C3%A9'
    const response = await send(port, 'POST', path, sent, everyByte)
    completed(response, 200)
    const id = response.first('tideover-id')
    const { record, headers } = await topic.find(id)

    assert.match(id, /^[A-Za-z0-9_-]{22}$/)
    assert.equal(record.key.toString('utf8'), id)
    assert.ok(record.value.equals(everyByte), 'the value is not the body')
    const acceptedAt = Number(headers.get('tideover-accepted-at')[0])
    assert.ok(acceptedAt >= before - 1000 && acceptedAt <= Date.now() + 1000)
    assert.match(headers.get('tideover-reply-to')[0], /^interop\.replies\/[0-5]$/)
    assert.deepEqual(sorted(headers), sorted(new Map([
      ['tideover-v', ['1']],
      ['tideover-id', [id]],
      ['tideover-reply-to', headers.get('tideover-reply-to')],
      ['tideover-accepted-at', [String(acceptedAt)]],
      ['tideover-fingerprint', [fingerprint('POST', path, 'text/x-check', undefined, everyByte)]],
      [':method', ['POST']],
      [':path', [path]],
      [':scheme', ['http']],
      [':authority', [`127.0.0.1:${port}`]],
      ['content-type', ['text/x-check']],
      ['x-repeated', ['one', 'two']],
      ['accept', ['*/*']],
      ['x-text', ['ÿ – 🧀']],
      ['traceparent', ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01']],
    ])))
  },

  'a safe request has a deadline, the end of its wait': async ({ port, topic }) => {
    const response = await send(port, 'GET', '/echo')
    completed(response, 200)
    const { headers } = await topic.find(response.first('tideover-id'))
    const acceptedAt = Number(headers.get('tideover-accepted-at')[0])
    assert.deepEqual(headers.get('tideover-deadline'), [String(acceptedAt + 20_000)])
  },

  'requests of one key are in one partition, in the order of their answers': async context => {
    const { port, topic } = context
    const found = []
    for (let i = 0; i < 20; i++) {
      const prefer = [['Prefer', 'respond-async']]
      const response = await send(port, 'POST', '/keyed/k-77/x', prefer, Buffer.from(`n${i}`))
      accepted(response)
      found.push((await topic.find(response.first('tideover-id'))).record)
    }
    assert.deepEqual(found.map(record => record.value.toString()), found.map((_, i) => `n${i}`))
    const offsets = found.map(record => Number(record.offset))
    assert.deepEqual(offsets, [...offsets].sort((a, b) => a - b))
    for (const record of found) {
      assert.equal(record.key.toString('utf8'), 'k-77')
      assert.equal(record.partition, kafkaPartition('k-77'))
    }
  },
}

function completed(response, status) {
  assert.equal(response.status, status, response.body.toString('utf8').slice(0, 300))
  assert.equal(response.first('tideover-outcome'), 'completed')
  assert.equal(response.first('tideover-source'), 'service')
  assert.match(response.first('tideover-id') ?? '', /^[A-Za-z0-9_-]{22}$/)
}

function accepted(response) {
  assert.equal(response.status, 202, response.body.toString('utf8').slice(0, 300))
  assert.equal(response.first('tideover-outcome'), 'accepted')
  assert.equal(response.first('tideover-source'), 'gateway')
  assert.ok(Number(response.first('retry-after')) > 0, 'no Retry-After')
  assert.ok(response.first('location'), 'no Location')
}

/** Asks at the address as often as the gateway says, until it is the service's answer. */
async function follow(port, first) {
  const url = new URL(first.first('location'), `http://127.0.0.1:${port}`)
  const until = Date.now() + 30_000
  for (let response = first; Date.now() < until; ) {
    const pause = Math.min(5, Number(response.first('retry-after') ?? 1))
    await new Promise(resolve => setTimeout(resolve, pause * 1000))
    response = await send(port, 'GET', url.pathname + url.search)
    if (response.first('tideover-source') === 'service') {
      return response
    }
    assert.equal(response.status, 202, response.body.toString('utf8').slice(0, 300))
  }
  throw new Error(`no reply at ${url.pathname} within 30 s`)
}

/** Where Kafka's own default partitioner puts a key. */
const kafkaPartition = key =>
  Partitioners.DefaultPartitioner()({
    topic: '',
    partitionMetadata: Array.from({ length: PARTITIONS }, (_, i) => ({ partitionId: i, leader: 1 })),
    message: { key },
  })

const sorted = lists => [...lists].sort(([a], [b]) => (a < b ? -1 : 1))

async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer())
  const listening = server =>
    new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(server.address().port)))
  const ports = await Promise.all(servers.map(listening))
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  return ports
}

async function startAll(directory) {
  const java = process.env.JAVA_HOME ? join(process.env.JAVA_HOME, 'bin', 'java') : 'java'
  const classPath = ['deploy/demo/target/classes', 'deploy/demo/target/lib/*', 'load-tests/target/classes']
    .map(part => join(root, part))
    .join(':')
  const tethered = main => ['-Dlogback.configurationFile=logback-bench.xml', '-cp', classPath,
    'dev.tideover.testkit.Tether', main]

  const broker = start('broker', directory, java,
    [...tethered('dev.tideover.testkit.BrokerCommand'), '--port', '0'],
    /^Kafka is ready at localhost:(\d+)/)
  const bootstrapServers = `127.0.0.1:${(await broker.ready)[1]}`

  const [port, adminPort] = await freePorts(2)
  const config = join(directory, 'gateway.yaml')
  writeFileSync(config, `
kafka: { bootstrap-servers: "${bootstrapServers}" }
http: { host: 127.0.0.1, port: ${port} }
admin: { host: 127.0.0.1, port: ${adminPort} }
secret: "only-for-this-check-0123456789abcdef"
replies: { topic: interop.replies, partitions: 6 }
shutdown: { delay: 0s }
services:
  ${service}:
    routes:
      - { path: /echo/**, wait: 20s }
      - { path: /status/**, wait: 20s }
      - { path: /slow, wait: 20s }
      - { path: /keyed/**, wait: 20s, key: path 2 }
`)
  const gateway = start('gateway', directory, java,
    [...tethered('dev.tideover.gateway.cli.GatewayCommand'), 'serve', '--config', config], /^never$/)
  await Promise.race([gateway.ready, untilReady(adminPort)])
  const node = start('service', directory, process.execPath,
    [join(here, 'service.mjs'), bootstrapServers, service], /^READY/)
  await node.ready
  return { port, bootstrapServers }
}

async function untilReady(adminPort) {
  const until = Date.now() + 60_000
  while (Date.now() < until) {
    const response = await send(adminPort, 'GET', '/health/ready').catch(() => undefined)
    if (response?.status === 200) {
      return
    }
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  throw new Error('the gateway was not ready within 60 s')
}

async function run() {
  const directory = mkdtempSync(join(tmpdir(), 'tideover-interop-'))
  let passed = 0
  let failed = 0
  let topic
  try {
    const { port, bootstrapServers } = await startAll(directory)
    const kafka = new Kafka({ brokers: [bootstrapServers], logLevel: logLevel.ERROR })
    topic = await RequestTopic.open(kafka, `${service}.requests`)
    for (const [name, check] of Object.entries(checks)) {
      try {
        await check({ port, topic })
        passed++
        console.log(`PASS  ${name}`)
      } catch (error) {
        failed++
        console.log(`FAIL  ${name}\n      ${error.message.replaceAll('\n', '\n      ')}`)
      }
    }
  } catch (error) {
    failed++
    console.log(`FAIL  start\n      ${error.message.replaceAll('\n', '\n      ')}`)
  } finally {
    closeConnections()
    await topic?.close()
    await stopAll()
  }
  if (failed === 0) {
    rmSync(directory, { recursive: true })
  } else {
    console.log(`The logs are kept in ${directory}`)
  }
  console.log(`${passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

const watchdog = setTimeout(() => {
  console.log(`FAIL  the whole did not end within ${BOUND_MILLIS / 1000} s`)
  process.exit(1) // closes the children's standard input, which ends them
}, BOUND_MILLIS)
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => process.exit(1))
}
process.exitCode = await run()
clearTimeout(watchdog)
