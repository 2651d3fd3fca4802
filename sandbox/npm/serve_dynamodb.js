// DynamoDB on 127.0.0.1 with one separate store per region, as AWS has it.
//
// dynalite itself keeps one store and puts its own AWS_REGION into every ARN, whatever region a request was signed
// for. Here each request goes to the dynalite of the region in its credential scope (key/date/REGION/dynamodb/...).
'use strict'

const http = require('http')
const dynalite = require('dynalite')

const OPTIONS = { createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 }
const CREDENTIAL_SCOPE = /Credential=[^/]+\/\d{8}\/([^/]+)\/dynamodb\//
const stores = new Map()

function storeOf (region) {
  if (!stores.has(region)) {
    process.env.AWS_REGION = region // dynalite reads it once, when a store is made
    stores.set(region, dynalite(OPTIONS))
  }
  return stores.get(region)
}

function regionOf (request) {
  const scope = CREDENTIAL_SCOPE.exec(request.headers.authorization || '')
  return scope ? scope[1] : 'us-east-1' // unsigned: dynalite answers with DynamoDB's own error
}

const server = http.createServer((request, response) => storeOf(regionOf(request)).emit('request', request, response))
server.on('connection', (socket) => socket.setNoDelay(true))
server.keepAliveTimeout = 60000 // AWS closes idle connections far later than Node's 5 s
server.listen(Number(process.argv[2] || 0), '127.0.0.1', () => {
  console.log(`ready http://127.0.0.1:${server.address().port}`)
})
