// What is in a request topic, read from Kafka itself and not from what the gateway says.
import { headerLists } from './wire.mjs'

const FIND_MILLIS = 20_000

export class RequestTopic {
  #consumer
  #records = new Map()
  #waiting = new Map()

  /** Reads a topic from its beginning, in a group of its own. */
  static async open(kafka, topic) {
    const reader = new RequestTopic()
    reader.#consumer = kafka.consumer({ groupId: `interop-reader-${process.pid}` })
    await reader.#consumer.connect()
    await reader.#consumer.subscribe({ topics: [topic], fromBeginning: true })
    await reader.#consumer.run({
      eachMessage: async ({ partition, message }) => reader.#add(partition, message),
    })
    return reader
  }

  #add(partition, message) {
    const headers = headerLists(message)
    const id = headers.get('tideover-id')?.[0]
    const found = { record: { ...message, partition }, headers }
    this.#records.set(id, found)
    this.#waiting.get(id)?.(found)
  }

  /** The record of a request id; it may still be on its way. */
  find(id) {
    const found = this.#records.get(id)
    if (found !== undefined) {
      return Promise.resolve(found)
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no record with id ${id} within ${FIND_MILLIS} ms`)),
        FIND_MILLIS
      )
      this.#waiting.set(id, record => {
        clearTimeout(timer)
        this.#waiting.delete(id)
        resolve(record)
      })
    })
  }

  async close() {
    await this.#consumer.disconnect()
  }
}
