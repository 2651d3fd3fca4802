// Asks the built site's own search, the worker that a browser runs: `node .ci/ask_site.js .build/site QUESTION...`
// prints {question: [page, ...]}, the best page first.
"use strict";

const fs = require("fs");
const path = require("path");
const vm = require("vm");

const SETUP = 0; // the kinds of message that the theme's worker takes
const QUERY = 2;
const [site, ...questions] = process.argv.slice(2);
const scripts = path.join(site, "assets/javascripts/workers");
const worker = fs.readdirSync(scripts).find((name) => /^search\..*\.min\.js$/.test(name));
let receive;
let answer;

const browser = {
  // A query that the search cannot take is written here by the worker, which then answers that it found nothing.
  console: { warn: (text) => { throw new Error(String(text)); } },
  addEventListener: (_, listener) => { receive = listener; },
  postMessage: (message) => answer(message.data),
  importScripts: (...names) => names.forEach((name) => load(path.join(scripts, name))),
};
browser.self = browser;
vm.createContext(browser);

function load(file) {
  vm.runInContext(fs.readFileSync(file, "utf8"), browser, { filename: file });
}

function ask(type, data) {
  return new Promise((resolve) => {
    answer = resolve;
    receive({ data: { type, data } });
  });
}

async function main() {
  load(path.join(scripts, worker));
  const index = JSON.parse(fs.readFileSync(path.join(site, "search/search_index.json"), "utf8"));
  await ask(SETUP, { ...index, options: {} });
  const pages = {};
  for (const question of questions) {
    const { items } = await ask(QUERY, question);
    pages[question] = items.map((sections) => sections[0].location.split("#")[0]);
  }
  console.log(JSON.stringify(pages));
}

main();
