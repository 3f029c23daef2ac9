'use strict';
/** CLIP embeddings of images and texts: an interface to libclipcore. index.d.ts describes it. */
const native = require('./clipcore.node');

const Tower = Object.freeze({ IMAGE: 1, TEXT: 2 });
const STORAGE = ['f32', 'f16', 'bf16', 'int8', 'int8-fast'];
const FORMATS = [undefined, 'rgb', 'rgba', 'bgr', 'bgra', 'gray'];
const OPTIMIZERS = ['adamw', 'sgd'];
const SCHEDULES = ['constant', 'cosine', 'linear'];
const [IMAGES, TEXTS, PREPROCESS, PIXELS, TOKENIZE, TOKENS] = [0, 1, 2, 3, 4, 5]; // of addon.c

function invalid(message) {
  return Object.assign(new Error(message), { code: 'CLIP_INVALID_ARGUMENT' });
}

/** The number of a name in C. */
function numberOf(what, names, name) {
  const number = name === undefined ? 0 : names.indexOf(name);
  if (number < 0) throw invalid(`${what}: expected one of ${names.filter(Boolean).join(', ')}, found ${name}`);
  return number;
}

function typed(what, type, array) {
  if (!(array instanceof type)) throw invalid(`${what}: expected a ${type.name}`);
  return array;
}

/** Keys and metadata are strings or bytes. */
function bytes(value) {
  return typeof value === 'string' ? Buffer.from(value, 'utf8') : typed('a key', Uint8Array, value);
}

/** A long call, which the abort of `signal` cancels. What `progress` throws ends it too. */
async function watched({ signal, progress } = {}, call) {
  signal?.throwIfAborted();
  const watch = native.watch(progress);
  const stop = () => native.cancel(watch);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await call(watch);
  } catch (error) {
    if (signal?.aborted && error.code === 'CLIP_CANCELLED') throw signal.reason;
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

class Handle {
  constructor(raw) {
    Object.defineProperty(this, 'raw', { value: raw });
  }

  close() {
    native.close(this.raw);
  }
}

class Runtime extends Handle {
  constructor(options = {}) {
    super(native.createRuntime(options));
  }

  async openModel(folder, options = {}) {
    const given = { ...options, storage: numberOf('storage', STORAGE, options.storage) };
    return new Model(await watched(options, (watch) => native.openModel(this.raw, folder, given, watch)));
  }

  async initializeModel(folder, seed = 0) {
    return native.initializeModel(this.raw, folder, { seed });
  }

  async loadImage(source, options = {}) {
    return new Image(await native.loadImage(this.raw, source, options));
  }

  /** Copies pixels of the caller's. */
  createImage(pixels, { width, height, stride = 0, format = 'rgb' }) {
    return new Image(native.createImage(this.raw, pixels, { width, height, stride, format: numberOf('format', FORMATS, format) }));
  }

  imageEndings() {
    return native.imageEndings(this.raw).split(',');
  }

  async loadPlugin(path) {
    return native.loadPlugin(this.raw, path);
  }

  async unloadPlugin(plugin) {
    return native.unloadPlugin(this.raw, plugin);
  }

  async fingerprint(folder) {
    return native.fingerprint(this.raw, folder);
  }

  openIndex(path, options = {}) {
    return new Index(native.openIndex(this.raw, path, { ...options, storage: numberOf('storage', STORAGE, options.storage) }));
  }
}

class Image extends Handle {
  /** width, height, format, orientation, and a copy of the pixels in rows without gaps. */
  describe() {
    const facts = native.describeImage(this.raw);
    return { ...facts, format: FORMATS[facts.format] };
  }
}

class Model extends Handle {
  #opened;

  constructor(raw) {
    super(raw);
    this.#opened = this.describe();
  }

  get embeddingWidth() {
    return this.#opened.embeddingWidth;
  }

  describe() {
    const facts = native.describeModel(this.raw);
    return { ...facts, storage: STORAGE[facts.storage] };
  }

  encoder(tower) {
    return native.encoder(this.raw, { of: tower });
  }

  async swap({ towers = 0, folder, options } = {}) {
    const given = options && { ...options, given: true, storage: numberOf('storage', STORAGE, options.storage) };
    return watched(options, (watch) => native.swap(this.raw, { of: towers }, folder, given, watch));
  }

  async #encode(what, values, options) {
    const raw = (list) => list.map((image) => image?.raw);
    const given = what === IMAGES || what === PREPROCESS ? raw(values) : values;
    return watched(options, (watch) => native.encode(this.raw, { ...this.#opened, what }, given, options, watch));
  }

  async encodeImages(images, options = {}) {
    return this.#encode(IMAGES, images, options);
  }

  async encodeTexts(texts, options = {}) {
    return this.#encode(TEXTS, texts, options);
  }

  async preprocess(images, options = {}) {
    return this.#encode(PREPROCESS, images, options);
  }

  async encodePixels(pixels, options = {}) {
    return this.#encode(PIXELS, typed('pixels', Float32Array, pixels), options);
  }

  async tokenize(texts, options = {}) {
    return this.#encode(TOKENIZE, texts, options);
  }

  async encodeTokens(ids, options = {}) {
    return this.#encode(TOKENS, typed('tokens', Int32Array, ids), options);
  }

  similarity(images, texts) {
    return native.score(this.raw, { width: this.embeddingWidth }, images, texts);
  }

  classify(images, texts) {
    return native.score(this.raw, { width: this.embeddingWidth, classify: true }, images, texts);
  }

  async createTrainer(options = {}) {
    const given = {
      ...options,
      optimizer: numberOf('optimizer', OPTIMIZERS, options.optimizer),
      schedule: numberOf('schedule', SCHEDULES, options.schedule),
    };
    const { raw, ...sizes } = await native.createTrainer(this.raw, given);
    return new Trainer(raw, sizes);
  }
}

class Index extends Handle {
  #width;

  constructor(raw) {
    super(raw);
    this.#width = this.describe().embeddingWidth;
  }

  describe() {
    const facts = native.describeIndex(this.raw);
    return { ...facts, storage: STORAGE[facts.storage] };
  }

  get fingerprint() {
    return native.indexFingerprint(this.raw);
  }

  async put(keys, embeddings, metadata) {
    if (embeddings) typed('embeddings', Float32Array, embeddings);
    return native.put(this.raw, keys.map(bytes), embeddings, metadata?.map(bytes), { width: this.#width });
  }

  async rename(from, to) {
    return native.rename(this.raw, from.map(bytes), to.map(bytes));
  }

  async remove(keys) {
    return native.remove(this.raw, keys.map(bytes));
  }

  async get(key) {
    return native.get(this.raw, [bytes(key)], { width: this.#width });
  }

  async entries(prefix = '') {
    return native.entries(this.raw, bytes(prefix));
  }

  async search(query, options = {}) {
    const { count, threshold } = options;
    typed('query', Float32Array, query);
    return watched(options, (watch) => native.search(this.raw, query, { count, threshold, width: this.#width }, watch));
  }

  async duplicates(options = {}) {
    const { count, threshold } = options;
    return watched(options, (watch) => native.duplicates(this.raw, { count, threshold }, watch));
  }

  async groups(options = {}) {
    const { threshold } = options;
    return watched(options, (watch) => native.groups(this.raw, { threshold }, watch));
  }
}

/** Calls wait for each other. */
class Trainer extends Handle {
  #sizes;
  #last = Promise.resolve();

  constructor(raw, sizes) {
    super(raw);
    this.#sizes = sizes;
  }

  #after(call) {
    const next = this.#last.then(call);
    this.#last = next.catch(() => {});
    return next;
  }

  #run(step, { pixels, images, tokens, texts, options }) {
    return this.#after(() => {
      if (pixels) typed('pixels', Float32Array, pixels);
      if (tokens) typed('tokens', Int32Array, tokens);
      return native.runBatch(this.raw, { pixels, images: images?.map((image) => image?.raw), tokens, texts, options }, { step, ...this.#sizes });
    });
  }

  step(batch) {
    return this.#run(true, batch);
  }

  evaluate(batch) {
    return this.#run(false, batch);
  }

  setLearningRate(rate) {
    return this.#after(() => native.setLearningRate(this.raw, { rate }));
  }

  save(folder, { keep = 0, note } = {}) {
    return this.#after(() => native.save(this.raw, folder, { keep, note }, undefined));
  }

  resume(path) {
    return this.#after(() => native.resume(this.raw, path, {}, undefined));
  }

  note() {
    return this.#after(() => native.note(this.raw));
  }

  export(folder, options = {}) {
    return this.#after(() => watched(options, (watch) => native.exportModel(this.raw, folder, {}, watch)));
  }

  updateModel(model) {
    return this.#after(() => native.updateModel(this.raw, model.raw));
  }
}

module.exports = { Runtime, Model, Image, Index, Trainer, Tower, version: native.version, abiVersion: native.abiVersion };
