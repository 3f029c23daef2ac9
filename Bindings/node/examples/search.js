'use strict';
// Indexes the images of a folder and searches them by text: search.js MODEL FOLDER INDEX QUERY
const fs = require('fs');
const path = require('path');
const { Runtime } = require('clipcore');

async function main([folder, images, file, query]) {
  if (query === undefined) throw new Error('usage: search.js MODEL FOLDER INDEX QUERY');
  const runtime = new Runtime();
  const model = await runtime.openModel(folder);
  const fingerprint = await runtime.fingerprint(folder);
  const index = runtime.openIndex(file, { create: true, fingerprint, embeddingWidth: model.embeddingWidth });
  const endings = runtime.imageEndings();
  for (const name of fs.readdirSync(images)) {
    if (!endings.includes(path.extname(name).slice(1).toLowerCase())) continue;
    const image = await runtime.loadImage(path.join(images, name));
    await index.put([path.join(images, name)], await model.encodeImages([image]));
    image.close();
  }
  for (const { score, key } of await index.search(await model.encodeTexts([query]), { count: 3 })) {
    console.log(`${score.toFixed(3)}  ${Buffer.from(key)}`);
  }
}

main(process.argv.slice(2));
