// A service in another language: it takes part in its own consumer group, answers each request at
// the address that the request names, and only then lets its offset be committed.
//
//   node service.mjs BOOTSTRAP-SERVERS SERVICE
//
// Prints READY when it has its partitions; ends with its standard input.
import { Kafka, logLevel } from 'kafkajs'
import { readRequest, writeReply } from './wire.mjs'

const [bootstrapServers, service] = process.argv.slice(2)
const by = `${service}/node/1`
const kafka = new Kafka({
  brokers: bootstrapServers.split(','),
  clientId: by,
  logLevel: logLevel.ERROR,
})
const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
const consumer = kafka.consumer({ groupId: service, sessionTimeout: 6000, heartbeatInterval: 1000 })

/** What the service does: as much of HTTP as there is to get wrong. */
async function handle(request) {
  const [path, query = ''] = request.path.split('?')
  const parts = path.split('/')
  switch (parts[1]) {
    case 'echo':
      return { status: 200, fields: echoed(request), body: request.body }
    case 'keyed':
      return { status: 201, fields: [['content-type', 'text/plain']], body: request.body }
    case 'status':
      return {
        status: Number(parts[2]),
        fields: [['content-type', 'text/plain; charset=utf-8'], ['x-note', 'the service says so']],
        body: parts[2] === '204' ? undefined : Buffer.from(`status ${parts[2]} ✓`),
      }
    case 'slow': {
      const millis = Number(new URLSearchParams(query).get('ms'))
      await new Promise(resolve => setTimeout(resolve, millis))
      return { status: 201, fields: [['content-type', 'text/plain']], body: request.body }
    }
    default:
      return { status: 404, body: Buffer.from('the service knows no such path') }
  }
}

/** Says in the response what has come, so that the client can compare. */
function echoed(request) {
  const fields = [
    ['x-method', request.method],
    ['x-path', request.path],
    ['x-scheme', request.scheme],
    ['x-authority', request.authority],
    ['x-answer', 'grüße ✓ 日本'],
    // These are for one hop alone; a client must not see them.
    ['connection', 'x-hop'],
    ['x-hop', 'not for you'],
    ['keep-alive', 'timeout=77'],
  ]
  for (const name of ['content-type', 'x-repeated', 'x-text']) {
    for (const value of request.fields.get(name) ?? []) {
      fields.push([name, value])
    }
  }
  if (request.method === 'HEAD') {
    fields.push(['content-length', '4321'])
  }
  return fields
}

consumer.on(consumer.events.GROUP_JOIN, () => console.log('READY'))
await producer.connect()
await consumer.connect()
await consumer.subscribe({ topics: [`${service}.requests`], fromBeginning: true })
await consumer.run({
  partitionsConsumedConcurrently: 12,
  eachMessage: async ({ message }) => {
    const request = readRequest(message)
    // After its deadline nobody wants the answer: it must not run, and its client is told so.
    const late = request.deadline !== undefined && Date.now() > request.deadline
    const reply = late ? { outcome: 'expired' } : await handle(request)
    const messages = [writeReply(request, by, reply)]
    await producer.send({ topic: request.replyTo.topic, acks: -1, messages })
  },
})

process.stdin.resume()
process.stdin.on('end', async () => {
  await consumer.disconnect()
  await producer.disconnect()
  process.exit(0)
})
