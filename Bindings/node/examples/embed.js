'use strict';
// Embeds an image and captions, and prints the cosine of each caption: embed.js MODEL IMAGE CAPTION...
const { Runtime } = require('clipcore');

async function main([folder, path, ...captions]) {
  if (captions.length < 1) throw new Error('usage: embed.js MODEL IMAGE CAPTION...');
  const runtime = new Runtime();
  const model = await runtime.openModel(folder);
  const image = await model.encodeImages([await runtime.loadImage(path)]);
  const texts = await model.encodeTexts(captions);
  captions.forEach((caption, i) => {
    const cosine = image.reduce((sum, element, j) => sum + element * texts[i * image.length + j], 0);
    console.log(`${cosine.toFixed(3)}  ${caption}`);
  });
}

main(process.argv.slice(2));
