// The record contract, version 1, from its documentation alone: nothing here is shared with the
// Java code. Metadata is in Kafka record headers as UTF-8 text, the body is the record's value.
import { createHash } from 'node:crypto'

/** Headers of a kafkajs message as name -> list of texts, in order within a name. */
export function headerLists(message) {
  const lists = new Map()
  for (const [name, value] of Object.entries(message.headers)) {
    lists.set(name, [value].flat().map(bytes => bytes.toString('utf8')))
  }
  return lists
}

/** Reads a request; throws where the contract is broken. */
export function readRequest(message) {
  const lists = headerLists(message)
  const one = name => {
    const values = lists.get(name)
    if (values === undefined || values.length !== 1) {
      throw new Error(`${name}: expected once, found ${values === undefined ? 0 : values.length}`)
    }
    return values[0]
  }
  if (one('tideover-v') !== '1') {
    throw new Error(`tideover-v: ${one('tideover-v')} is not known`)
  }
  const [topic, partition] = one('tideover-reply-to').split('/')
  return {
    id: one('tideover-id'),
    replyTo: { topic, partition: Number(partition) },
    acceptedAt: Number(one('tideover-accepted-at')),
    deadline: lists.has('tideover-deadline') ? Number(one('tideover-deadline')) : undefined,
    fingerprint: one('tideover-fingerprint'),
    method: one(':method'),
    path: one(':path'),
    scheme: one(':scheme'),
    authority: one(':authority'),
    fields: new Map(
      [...lists].filter(([name]) => !name.startsWith(':') && !name.startsWith('tideover-'))
    ),
    body: message.value,
  }
}

/** A reply as a kafkajs message. `fields` is a list of [name, value]. */
export function writeReply(request, by, reply) {
  const { outcome = 'completed', status, fields = [], body = Buffer.alloc(0) } = reply
  const headers = {
    'tideover-v': '1',
    'tideover-id': request.id,
    'tideover-fingerprint': request.fingerprint,
    'tideover-outcome': outcome,
    'tideover-by': by,
    'tideover-attempts': '1',
  }
  if (status !== undefined) {
    headers[':status'] = String(status)
  }
  for (const [name, value] of fields) {
    headers[name] = [headers[name] ?? [], value].flat()
  }
  return { partition: request.replyTo.partition, key: request.id, value: body, headers }
}

/** The first half of SHA-256 over six parts, each behind its length in four bytes. */
export function fingerprint(method, pathAndQuery, contentType, orderingKey, body) {
  const mark = pathAndQuery.indexOf('?')
  const path = mark < 0 ? pathAndQuery : pathAndQuery.slice(0, mark)
  const query = mark < 0 ? '' : pathAndQuery.slice(mark + 1)
  const hash = createHash('sha256')
  for (const part of [method, path, query, contentType ?? '', orderingKey ?? '', body]) {
    const bytes = Buffer.from(part)
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    hash.update(length).update(bytes)
  }
  return hash.digest('hex').slice(0, 32)
}
