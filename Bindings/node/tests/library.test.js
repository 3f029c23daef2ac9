'use strict';
// CLIPCORE_TEST_ROOT: the repository, whose small models and images these tests use.
const assert = require('assert');
const fs = require('fs');
const os = require('os');
const path = require('path');
const test = require('node:test');
const { Worker } = require('worker_threads');
const { Runtime, Tower, version, abiVersion } = require('clipcore');

const root = process.env.CLIPCORE_TEST_ROOT;
const emoji = path.join(root, 'Models/emoji');
const small = path.join(root, 'build/models/small-32');
const photo = (name) => path.join(root, 'Examples/images', name);
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'clipcore-'));
test.after(() => fs.rmSync(work, { recursive: true }));
const fails = (code, promise) => assert.rejects(promise, (error) => error.code === code && error.message.length > 0);
const text = (bytes) => Buffer.from(bytes).toString();

test('encodes alike by each way', async () => {
  const runtime = new Runtime({ threads: 2 });
  const model = await runtime.openModel(emoji);
  const facts = model.describe();
  assert(facts.embeddingWidth === model.embeddingWidth && facts.layout === 'open_clip' && facts.storage === 'f32' && facts.imageParameters > 0);
  assert.strictEqual(model.encoder(Tower.IMAGE), 'clipcore.encoder.clip-vit');
  const image = await runtime.loadImage(photo('cat.png'));
  const one = await model.encodeImages([image]);
  const two = await model.encodeImages([image, image]);
  assert.deepStrictEqual(two.slice(one.length), one);
  const decoded = (await runtime.loadImage(fs.readFileSync(photo('cat.png')))).describe();
  const own = runtime.createImage(decoded.pixels, decoded);
  assert.deepStrictEqual(await model.encodeImages([own]), one);
  const pixels = await model.preprocess([own]);
  assert.deepStrictEqual(await model.encodePixels(pixels), one);
  const words = ['a cat', 'a slice of pizza'];
  const texts = await model.encodeTexts(words);
  const tokens = await model.tokenize(words);
  assert(tokens.ids.length === 2 * facts.contextLength && tokens.lengths[0] >= 3);
  assert.deepStrictEqual(await model.encodeTokens(tokens.ids), texts);
  const logits = model.similarity(one, texts);
  const chances = model.classify(one, texts);
  assert(logits[0] > logits[1] && chances[0] > 0.9 && Math.abs(chances[0] + chances[1] - 1) < 1e-6);
  assert(runtime.imageEndings().includes('png') && abiVersion() >> 16 === 2 && version().split('.').length === 3);
});

test('errors have a code and a message', async () => {
  const runtime = new Runtime();
  const model = await runtime.openModel(emoji);
  await assert.rejects(runtime.openModel('/no/such/folder'), /\/no\/such\/folder/);
  await fails('CLIP_NOT_FOUND', runtime.openModel('/no/such/folder'));
  await fails('CLIP_INVALID_ARGUMENT', model.encodeTexts(['a\0b']));
  await fails('CLIP_INVALID_ARGUMENT', model.encodeTexts([]));
  await fails('CLIP_INVALID_ARGUMENT', model.encodeTexts('no array'));
  await fails('CLIP_INVALID_ARGUMENT', model.encodeTexts([7]));
  await fails('CLIP_INVALID_ARGUMENT', model.encodeImages([undefined]));
  await fails('CLIP_INVALID_ARGUMENT', model.encodeImages([runtime]));
  await fails('CLIP_INVALID_ARGUMENT', model.encodePixels(new Float32Array(7)));
  await fails('CLIP_INVALID_ARGUMENT', model.encodePixels(new Float64Array(7)));
  await fails('CLIP_INVALID_ARGUMENT', model.encodeTokens(new Int32Array(7)));
  await fails('CLIP_INVALID_ARGUMENT', runtime.openModel(emoji, { imageWidth: -1 }));
  await fails('CLIP_INVALID_ARGUMENT', runtime.openModel(emoji, { storage: 'f64' }));
  const long = ['word '.repeat(500)];
  await fails('CLIP_LIMIT', model.encodeTexts(long));
  await model.encodeTexts(long, { truncate: true });
  await fails('CLIP_NOT_FOUND', model.encodeTexts(['a'], { prompt: 'none such' }));
  await fails('CLIP_FORMAT', runtime.loadImage(Buffer.from('no image')));
  await fails('CLIP_NOT_FOUND', runtime.loadPlugin('/no/plugin.so'));
  const image = await runtime.loadImage(photo('cat.png'));
  await fails('CLIP_MISMATCH', model.preprocess([image], { imageWidth: 2 ** 32 - 1, imageHeight: 7 }));
  for (const [width, height, stride] of [[2, 2, 0], [2 ** 31, 2 ** 31, 0], [0, 1, 0], [1, 2, 1]]) {
    assert.throws(() => runtime.createImage(new Uint8Array(11), { width, height, stride }), { code: 'CLIP_INVALID_ARGUMENT' });
  }
  assert.throws(() => runtime.createImage(new Uint8Array(11), { width: -1, height: 1 }), { code: 'CLIP_INVALID_ARGUMENT' });
  assert.throws(() => model.classify(new Float32Array(3), new Float32Array(3)), { code: 'CLIP_INVALID_ARGUMENT' });
  image.close();
  image.close();
  await fails('CLIP_INVALID_ARGUMENT', model.encodeImages([image]));
  const running = model.encodeTexts(['a cat']);
  model.close();
  runtime.close();
  assert.strictEqual((await running).length, model.embeddingWidth);
  await fails('CLIP_INVALID_ARGUMENT', model.encodeTexts(['a cat']));
});

test('signals cancel, and exceptions in callbacks end the call', async () => {
  const messages = [];
  const loud = new Runtime({ pluginPaths: ['/no/plugin.so'], log: (level, message) => {
    messages.push(`${level} ${message}`);
    throw new Error('in log');
  } });
  const model = await loud.openModel(emoji);
  const images = Array(16).fill(await loud.loadImage(photo('cat.png')));
  const steps = [];
  await model.encodeImages(images, { progress: (done, total) => steps.push([done, total]) });
  assert.deepStrictEqual(steps.at(-1), [16, 16]);
  const abort = new AbortController();
  const running = model.encodeImages(images, { signal: abort.signal, progress: () => abort.abort(new Error('enough')) });
  await assert.rejects(running, /enough/);
  await assert.rejects(model.encodeImages(images, { signal: abort.signal }), /enough/);
  await assert.rejects(model.encodeImages(images, { progress: () => { throw new Error('in progress'); } }), /in progress/);
  await assert.rejects(loud.openModel(emoji, { progress: () => { throw new Error('opening'); } }), /opening/);
  assert(messages.some((message) => message.startsWith('warning ')), messages.join());
  await model.encodeImages(images.slice(1, 2));
});

test('an index keeps entries', async () => {
  const runtime = new Runtime();
  const file = path.join(work, 'a.index');
  assert.throws(() => runtime.openIndex(file), { code: 'CLIP_NOT_FOUND' });
  const fingerprint = await runtime.fingerprint(emoji);
  const index = runtime.openIndex(file, { create: true, fingerprint, embeddingWidth: 3 });
  assert.strictEqual(index.fingerprint, fingerprint);
  await index.put(['a', 'b', Buffer.from('c')], Float32Array.of(1, 0, 0, 2, 0.1, 0, 0, 0, 1), ['first', '', 'third']);
  await fails('CLIP_INVALID_ARGUMENT', index.put(['d'], new Float32Array(4)));
  await fails('CLIP_INVALID_ARGUMENT', index.put(['d'], new Float32Array(3)));
  await fails('CLIP_INVALID_ARGUMENT', index.put(['d'], Float32Array.of(1, 0, 0), []));
  const a = await index.get('a');
  assert(text(a.metadata) === 'first' && a.score === 0);
  assert.deepStrictEqual(a.embedding, Float32Array.of(1, 0, 0));
  await fails('CLIP_NOT_FOUND', index.get('z'));
  const query = Float32Array.of(1, 0, 0);
  const keys = (entries) => entries.map((entry) => text(entry.key));
  assert.deepStrictEqual(keys(await index.search(query)), ['a', 'b', 'c']);
  assert.deepStrictEqual(keys(await index.search(query, { count: 1, threshold: 0.5 })), ['a']);
  await fails('CLIP_INVALID_ARGUMENT', index.search(new Float32Array(2)));
  await fails('CLIP_INVALID_ARGUMENT', index.search(Float32Array.of(NaN, 0, 0)));
  const pairs = await index.duplicates({ threshold: 0.9 });
  assert.deepStrictEqual(pairs.map(keys), [['a', 'b']]);
  assert.deepStrictEqual((await index.groups({ threshold: 0.9 })).map(keys), [['a', 'b']]);
  await index.rename(['c'], ['d']);
  assert.strictEqual(await index.remove(['b', 'nothing']), 1);
  assert.deepStrictEqual(keys(await index.entries()), ['a', 'd']);
  assert.strictEqual(index.describe().entries, 2);
});

test('trains, saves and updates', async () => {
  const runtime = new Runtime();
  const model = await runtime.openModel(small);
  const images = [await runtime.loadImage(photo('cat.png')), await runtime.loadImage(photo('pizza.png'))];
  const batch = { images, texts: ['a cat', 'pizza'] };
  const trainer = await model.createTrainer({ learningRate: 1e-2 });
  const first = await trainer.evaluate(batch);
  await Promise.all(Array.from({ length: 5 }, () => trainer.step(batch)));
  await trainer.save(path.join(work, 'train'), { keep: 1, note: 'a note' });
  const last = await trainer.evaluate(batch);
  assert(last.loss < first.loss && last.step === 5);
  const resumed = await model.createTrainer({ learningRate: 1e-2 });
  await resumed.resume(path.join(work, 'train'));
  assert.strictEqual(await resumed.note(), 'a note');
  assert.strictEqual((await resumed.evaluate(batch)).loss, last.loss);
  await resumed.setLearningRate(1e-3);
  await fails('CLIP_INVALID_ARGUMENT', resumed.setLearningRate(-1));
  await fails('CLIP_INVALID_ARGUMENT', resumed.step({ images, texts: ['a'] }));
  await fails('CLIP_INVALID_ARGUMENT', resumed.step({}));
  const before = await model.encodeTexts(['a cat']);
  await resumed.updateModel(model);
  assert.notDeepStrictEqual(await model.encodeTexts(['a cat']), before);
  const exported = path.join(work, 'model');
  await resumed.export(exported);
  assert.strictEqual((await runtime.openModel(exported, { storage: 'int8-fast' })).describe().storage, 'int8-fast');
  await model.swap({ folder: small, options: {} });
  assert.deepStrictEqual(await model.encodeTexts(['a cat']), before);
  for (const name of fs.readdirSync(exported)) if (name.endsWith('.safetensors')) fs.rmSync(path.join(exported, name));
  await runtime.initializeModel(exported, 1);
  await runtime.openModel(exported);
});

test('rows have the sizes that the caller names, whatever a swap does', async () => {
  const runtime = new Runtime();
  const model = await runtime.openModel(small);
  const { imageWidth: side, contextLength } = model.describe();
  const image = await runtime.loadImage(photo('cat.png'));
  const large = { imageWidth: 2 * side, imageHeight: 2 * side };
  const row = new Float32Array(12 * side * side);
  await fails('CLIP_MISMATCH', model.encodePixels(row, large));
  await fails('CLIP_MISMATCH', model.preprocess([image], { imageWidth: 2 ** 32 - 1, imageHeight: 2 ** 32 - 1 }));
  await fails('CLIP_INVALID_ARGUMENT', model.encodePixels(row.subarray(0, 3 * side * side), large));
  await fails('CLIP_INVALID_ARGUMENT', model.encodePixels(row, { imageWidth: 2 ** 32 - 1, imageHeight: 2 ** 32 - 1 }));
  await fails('CLIP_INVALID_ARGUMENT', model.encodeTokens(new Int32Array(contextLength), { contextLength: 2 * contextLength }));
  await fails('CLIP_MISMATCH', model.tokenize(['a'], { contextLength: 2 * contextLength }));
  const tokens = (await model.tokenize(['a', 'b'])).ids;
  // Swaps on each thread of the pool, so that the last call of the list begins after one of them.
  const after = async (options, call) => {
    const swaps = Array.from({ length: Number(process.env.UV_THREADPOOL_SIZE || 4) }, () => model.swap({ towers: Tower.IMAGE, options }));
    const value = await call();
    await Promise.all(swaps);
    return value;
  };
  assert.strictEqual((await after(large, () => model.encodePixels(row, large))).length, model.embeddingWidth);
  await fails('CLIP_MISMATCH', model.preprocess([image]));
  assert.strictEqual((await model.preprocess([image], large)).length, row.length);
  const trainer = await after({}, () => model.createTrainer()); // of the size as opened, which has been swapped away
  const pixels = Float32Array.from({ length: 6 * side * side }, (_, i) => Math.sin(i));
  assert((await trainer.evaluate({ pixels, tokens })).loss > 0);
  await fails('CLIP_INVALID_ARGUMENT', trainer.evaluate({ pixels: row, tokens }));
});

test('workers have runtimes of their own, and end while calls run', async () => {
  const code = `
    const { Runtime } = require('clipcore');
    const { parentPort, workerData } = require('worker_threads');
    (async () => {
      const runtime = new Runtime({ log: () => {} });
      const model = await runtime.openModel(workerData);
      for (;;) {
        await Promise.all([1, 2, 3].map(() => model.encodeTexts(['a cat'], { progress: () => {} })));
        parentPort.postMessage(model.embeddingWidth);
      }
    })();`;
  for (let i = 0; i < 5; i += 1) {
    const worker = new Worker(code, { eval: true, workerData: small });
    await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    await worker.terminate();
  }
});

test('10,000 calls leave nothing', async () => {
  const runtime = new Runtime({ threads: 2, log: () => {} });
  const model = await runtime.openModel(small);
  const expected = await model.encodeTexts(['a cat']);
  async function calls(count) {
    for (let call = 0; call < count; call += 1) {
      switch (call % 5) {
        case 0: await fails('CLIP_FORMAT', runtime.loadImage(Buffer.from('none'))); break;
        case 1: await fails('CLIP_NOT_FOUND', runtime.openModel('/none')); break;
        case 2: runtime.createImage(new Uint8Array(3), { width: 1, height: 1 }); break; // the garbage collector closes it
        case 3: await assert.rejects(model.encodeTexts(['a cat'], { progress: () => { throw new Error('mine'); } }), /mine/); break;
        default: assert.deepStrictEqual(await model.encodeTexts(['a cat'], { prompt: '', progress: () => {} }), expected);
      }
    }
  }
  const round = async (count) => {
    await Promise.all(Array.from({ length: 4 }, () => calls(count / 4)));
    for (let i = 0; i < 3; i += 1) {
      global.gc();
      await new Promise(setImmediate);
    }
    return process.memoryUsage().rss;
  };
  await round(4000);
  const before = await round(2000);
  const grown = (await round(10000)) - before;
  assert(grown < 16 << 20, `10,000 calls left ${grown} bytes`);
});
