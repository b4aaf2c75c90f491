// HTTP with every byte in our own hands: header fields as they stand on the wire.
import http from 'node:http'

const TIMEOUT_MILLIS = 60_000
const agent = new http.Agent({ keepAlive: true })

/** A field value's bytes on the wire are its UTF-8; Node takes and gives one character a byte. */
const toWire = text => Buffer.from(text, 'utf8').toString('latin1')
const fromWire = text => Buffer.from(text, 'latin1').toString('utf8')

/** Sends a request with fields [[name, value], ...]; resolves to status, fields and body bytes. */
export function send(port, method, path, fields = [], body = undefined) {
  const headers = [['Host', `127.0.0.1:${port}`], ...fields]
  if (body !== undefined) {
    headers.push(['Content-Length', String(body.length)])
  }
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        agent,
        host: '127.0.0.1',
        port,
        method,
        path,
        headers: headers.flatMap(([name, value]) => [name, toWire(value)]),
      },
      response => {
        const chunks = []
        response.on('data', chunk => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const list = new Map()
          for (let i = 0; i < response.rawHeaders.length; i += 2) {
            const name = response.rawHeaders[i].toLowerCase()
            list.set(name, [...(list.get(name) ?? []), fromWire(response.rawHeaders[i + 1])])
          }
          resolve({
            status: response.statusCode,
            all: name => list.get(name) ?? [],
            first: name => list.get(name)?.[0],
            body: Buffer.concat(chunks),
          })
        })
      }
    )
    request.setTimeout(TIMEOUT_MILLIS, () =>
      request.destroy(new Error(`no answer within ${TIMEOUT_MILLIS} ms`))
    )
    request.on('error', reject)
    request.end(body)
  })
}

/** Closes what is kept open. */
export function closeConnections() {
  agent.destroy()
}
