'use strict';
// Replaces the encoders of a model while calls use it: swap.js MODEL IMAGE
const assert = require('assert');
const { Runtime } = require('clipcore');

async function main([folder, path]) {
  if (path === undefined) throw new Error('usage: swap.js MODEL IMAGE');
  const runtime = new Runtime();
  const model = await runtime.openModel(folder);
  const images = [await runtime.loadImage(path)];
  const before = await model.encodeImages(images);
  let done = false;
  let embeddings = 0;
  async function embed() {
    while (!done) {
      assert.deepStrictEqual(await model.encodeImages(images), before, 'an embedding changed');
      embeddings += 1;
    }
  }
  const callers = [embed(), embed()];
  for (let i = 0; i < 10; i += 1) await model.swap();
  done = true;
  await Promise.all(callers);
  console.log(`10 swaps, ${embeddings} embeddings, all the same`);
}

main(process.argv.slice(2));
