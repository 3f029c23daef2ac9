'use strict';
// Which of some labels fits an image, without training for them: labels.js MODEL IMAGE LABEL...
const { Runtime } = require('clipcore');

async function main([folder, path, ...labels]) {
  if (labels.length < 2) throw new Error('usage: labels.js MODEL IMAGE LABEL LABEL...');
  const runtime = new Runtime();
  const model = await runtime.openModel(folder);
  const image = await model.encodeImages([await runtime.loadImage(path)]);
  const chances = model.classify(image, await model.encodeTexts(labels.map((label) => `a photo of a ${label}`)));
  const order = labels.map((label, i) => ({ label, chance: chances[i] })).sort((a, b) => b.chance - a.chance);
  for (const { label, chance } of order) console.log(`${(100 * chance).toFixed(1).padStart(5)} %  ${label}`);
}

main(process.argv.slice(2));
