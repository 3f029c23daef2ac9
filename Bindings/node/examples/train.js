'use strict';
// Trains a model for a hundred steps on images whose names are their captions: train.js MODEL FOLDER OUT
const fs = require('fs');
const path = require('path');
const { Runtime } = require('clipcore');

async function main([folder, images, out]) {
  if (out === undefined) throw new Error('usage: train.js MODEL FOLDER OUT');
  const runtime = new Runtime();
  const model = await runtime.openModel(folder);
  const endings = runtime.imageEndings();
  const names = fs.readdirSync(images).filter((name) => endings.includes(path.extname(name).slice(1)));
  const pixels = await model.preprocess(await Promise.all(names.map((name) => runtime.loadImage(path.join(images, name)))));
  const { ids } = await model.tokenize(names.map((name) => path.parse(name).name));
  const trainer = await model.createTrainer({ learningRate: 1e-4 });
  const batch = { pixels, tokens: ids };
  const first = await trainer.evaluate(batch);
  for (let i = 0; i < 100; i += 1) await trainer.step(batch);
  const last = await trainer.evaluate(batch);
  await trainer.export(out);
  console.log(`step ${last.step}: loss ${first.loss.toFixed(3)} -> ${last.loss.toFixed(3)}`);
}

main(process.argv.slice(2));
