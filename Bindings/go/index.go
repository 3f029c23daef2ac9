package clipcore

/*
#include <stdlib.h>
#include <clipcore/clip_index.h>
*/
import "C"

import (
	"context"
	"unsafe"
)

// Fingerprint of a model folder: the same for a copy under another name.
func Fingerprint(folder string) (string, error) {
	held, err := newTexts([]string{folder})
	if err != nil {
		return "", err
	}
	defer held.free()
	var buffer [33]C.char
	if err := check(func() C.clip_status { return C.clip_index_fingerprint(held[0], &buffer[0], C.size_t(len(buffer))) }); err != nil {
		return "", err
	}
	return C.GoString(&buffer[0]), nil
}

type IndexOptions struct {
	Create           bool // make the file if it is not there
	ReadOnly         bool
	Fingerprint      string // names what made the embeddings. A new file needs one; "": as the file has it
	EmbeddingWidth   int    // a new file needs it; 0: as the file has it
	Storage          Storage
	WaitMilliseconds uint64 // how long a call waits for another writer; 0: 10 seconds
}

// Entry of an index. Score is the cosine where entries are compared, else 0.
type Entry struct {
	Score    float32
	Key      []byte
	Metadata []byte
}

type SearchOptions struct {
	Count     int      // matches at most; 0: 10
	Threshold *float32 // only what scores at least this
	// Filter says whether an entry may be a match. It must not use the index.
	Filter func(Entry) bool
	// Progress of reading rows into memory, in rows. It must not use the index.
	Progress func(done, total uint64)
}

type IndexInfo struct {
	EmbeddingWidth int
	Storage        Storage
	Entries        uint64
	Changes        uint64 // rises with each transaction that changes entries
	FileBytes      uint64
	MemoryBytes    uint64
}

// Index is embeddings in one file.
type Index struct {
	*handle
	raw   *C.clip_index
	width int
}

// Close gives up the index.
func (x *Index) Close() { x.close() }

func (r *Runtime) OpenIndex(path string, options *IndexOptions) (*Index, error) {
	if options == nil {
		options = &IndexOptions{}
	}
	print, err := newTexts([]string{options.Fingerprint})
	if err != nil {
		return nil, err
	}
	defer print.free()
	raw := C.clip_index_options{
		embedding_width: C.uint32_t(options.EmbeddingWidth), storage: C.clip_storage(options.Storage),
		wait_milliseconds: C.uint64_t(options.WaitMilliseconds),
	}
	raw.struct_size = C.uint32_t(unsafe.Sizeof(raw))
	if options.Fingerprint != "" {
		raw.fingerprint = print[0]
	}
	if options.Create {
		raw.flags |= C.CLIP_INDEX_CREATE
	}
	if options.ReadOnly {
		raw.flags |= C.CLIP_INDEX_READ_ONLY
	}
	x := &Index{}
	if err := r.withText(path, func(text *C.char) C.clip_status { return C.clip_index_open(r.raw, text, &raw, &x.raw) }); err != nil {
		return nil, err
	}
	made := x.raw
	if err := r.use(); err != nil {
		C.clip_index_release(made)
		return nil, err
	}
	x.handle = newHandle(r.handle, func() { C.clip_index_release(made) })
	info, err := x.Info()
	if err != nil {
		x.Close()
		return nil, err
	}
	x.width = info.EmbeddingWidth
	return x, nil
}

// run makes a call that uses the index.
func (x *Index) run(ctx context.Context, c *call, f func(progress C.clip_progress, user unsafe.Pointer) C.clip_status) error {
	if err := x.use(); err != nil {
		return err
	}
	defer x.done()
	c.ctx = background(ctx)
	return c.run(f)
}

func (x *Index) Info() (info IndexInfo, err error) {
	var raw C.clip_index_info
	raw.struct_size = C.uint32_t(unsafe.Sizeof(raw))
	if err = x.use(); err != nil {
		return info, err
	}
	defer x.done()
	if err = check(func() C.clip_status { return C.clip_index_describe(x.raw, &raw) }); err != nil {
		return info, err
	}
	return IndexInfo{
		EmbeddingWidth: int(raw.embedding_width), Storage: Storage(raw.storage), Entries: uint64(raw.entries),
		Changes: uint64(raw.changes), FileBytes: uint64(raw.file_bytes), MemoryBytes: uint64(raw.memory_bytes),
	}, nil
}

// Fingerprint that the index was created with.
func (x *Index) Fingerprint() string {
	if x.use() != nil {
		return ""
	}
	defer x.done()
	return textOf(func(buffer *C.char, capacity C.size_t) C.size_t {
		return C.clip_index_get_fingerprint(x.raw, buffer, capacity)
	})
}

// inC are bytes in memory of C, which free frees.
func inC(values [][]byte) (list *C.clip_index_bytes, free func()) {
	size := C.size_t(unsafe.Sizeof(C.clip_index_bytes{}))
	list = (*C.clip_index_bytes)(C.malloc(C.size_t(len(values)+1) * size))
	items := unsafe.Slice(list, len(values))
	for i, value := range values {
		items[i] = C.clip_index_bytes{data: C.CBytes(value), size: C.size_t(len(value))}
	}
	return list, func() {
		for _, item := range items {
			C.free(item.data)
		}
		C.free(unsafe.Pointer(list))
	}
}

// Put adds entries, and replaces those whose keys are there. embeddings [n, EmbeddingWidth]; nil: the entries keep theirs.
// metadata [n]; nil: none.
func (x *Index) Put(keys [][]byte, embeddings []float32, metadata [][]byte) error {
	if metadata != nil && len(metadata) != len(keys) {
		return invalid("expected metadata for each of %d entries, found %d", len(keys), len(metadata))
	}
	var values *C.float
	if embeddings != nil {
		if n, err := rowsOf("embeddings", len(embeddings), x.width); err != nil {
			return err
		} else if n != len(keys) {
			return invalid("expected %d embeddings, found %d", len(keys), n)
		}
		values = (*C.float)(unsafe.Pointer(&embeddings[0]))
	}
	list, free := inC(keys)
	defer free()
	var extra *C.clip_index_bytes
	if metadata != nil {
		var freeExtra func()
		extra, freeExtra = inC(metadata)
		defer freeExtra()
	}
	return x.check(func() C.clip_status { return C.clip_index_put(x.raw, list, values, extra, C.size_t(len(keys))) })
}

// Rename gives entries other keys.
func (x *Index) Rename(from, to [][]byte) error {
	if len(from) != len(to) {
		return invalid("%d keys to rename, and %d new keys", len(from), len(to))
	}
	before, freeBefore := inC(from)
	defer freeBefore()
	after, freeAfter := inC(to)
	defer freeAfter()
	return x.check(func() C.clip_status { return C.clip_index_rename(x.raw, before, after, C.size_t(len(from))) })
}

// Remove removes entries and returns how many there were.
func (x *Index) Remove(keys [][]byte) (uint64, error) {
	list, free := inC(keys)
	defer free()
	var removed C.uint64_t
	err := x.check(func() C.clip_status { return C.clip_index_remove(x.raw, list, C.size_t(len(keys)), &removed) })
	return uint64(removed), err
}

func (x *Index) check(f func() C.clip_status) error {
	if err := x.use(); err != nil {
		return err
	}
	defer x.done()
	return check(f)
}

// Get is the entry with this key, and its embedding; NotFound if there is none.
func (x *Index) Get(key []byte) (entry Entry, embedding []float32, err error) {
	embedding = make([]float32, x.width)
	held := C.CBytes(key)
	defer C.free(held)
	c := &call{visit: func(found Entry) bool {
		entry = found
		return true
	}}
	err = x.run(nil, c, func(_ C.clip_progress, user unsafe.Pointer) C.clip_status {
		return C.clip_index_get(x.raw, held, C.size_t(len(key)), (*C.float)(unsafe.Pointer(&embedding[0])), C.size_t(x.width), onEntry, user)
	})
	if err != nil {
		return Entry{}, nil, err
	}
	return entry, embedding, nil
}

// Visit calls visit for the entries whose keys begin with prefix, in the order of their keys' bytes, until it returns
// false or ctx ends.
func (x *Index) Visit(ctx context.Context, prefix []byte, visit func(Entry) bool) error {
	held := C.CBytes(prefix)
	defer C.free(held)
	ctx = background(ctx)
	c := &call{visit: func(entry Entry) bool { return ctx.Err() == nil && visit(entry) }}
	err := x.run(ctx, c, func(_ C.clip_progress, user unsafe.Pointer) C.clip_status {
		return C.clip_index_visit(x.raw, held, C.size_t(len(prefix)), onEntry, user)
	})
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// Search finds the entries nearest to query [EmbeddingWidth], best first.
func (x *Index) Search(ctx context.Context, query []float32, options *SearchOptions) ([]Entry, error) {
	if len(query) != x.width {
		return nil, invalid("query: expected %d elements, found %d", x.width, len(query))
	}
	if options == nil {
		options = &SearchOptions{}
	}
	raw := C.clip_index_search_options{count: C.uint32_t(options.Count)}
	raw.struct_size = C.uint32_t(unsafe.Sizeof(raw))
	if options.Threshold != nil {
		raw.flags, raw.threshold = C.CLIP_INDEX_THRESHOLD, C.float(*options.Threshold)
	}
	if options.Filter != nil {
		raw.filter = onFilter
	}
	var found []Entry
	c := &call{progress: options.Progress, filter: options.Filter, visit: func(entry Entry) bool {
		found = append(found, entry)
		return true
	}}
	err := x.run(ctx, c, func(progress C.clip_progress, user unsafe.Pointer) C.clip_status {
		raw.progress, raw.filter_user = progress, user
		return C.clip_index_search(x.raw, (*C.float)(unsafe.Pointer(&query[0])), &raw, onEntry, user)
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Duplicates are the pairs of entries that score at least threshold (0: 0.95), best first, at most count (0: 10000).
func (x *Index) Duplicates(ctx context.Context, threshold float32, count int, progress func(done, total uint64)) ([][2]Entry, error) {
	raw := C.clip_index_duplicates_options{count: C.uint32_t(count), threshold: C.float(threshold)}
	raw.struct_size = C.uint32_t(unsafe.Sizeof(raw))
	var pairs [][2]Entry
	c := &call{progress: progress, pair: func(a, b Entry) { pairs = append(pairs, [2]Entry{a, b}) }}
	err := x.run(ctx, c, func(progress C.clip_progress, user unsafe.Pointer) C.clip_status {
		raw.progress = progress
		return C.clip_index_duplicates(x.raw, &raw, onPair, user)
	})
	if err != nil {
		return nil, err
	}
	return pairs, nil
}

// Groups are entries joined by pairs that score at least threshold (0: 0.95), directly or through others: those with the
// nearest pair first.
func (x *Index) Groups(ctx context.Context, threshold float32, progress func(done, total uint64)) ([][]Entry, error) {
	raw := C.clip_index_groups_options{threshold: C.float(threshold)}
	raw.struct_size = C.uint32_t(unsafe.Sizeof(raw))
	var groups [][]Entry
	c := &call{progress: progress, member: func(group uint64, entry Entry) {
		if group == uint64(len(groups)) {
			groups = append(groups, nil)
		}
		groups[group] = append(groups[group], entry)
	}}
	err := x.run(ctx, c, func(progress C.clip_progress, user unsafe.Pointer) C.clip_status {
		raw.progress = progress
		return C.clip_index_groups(x.raw, &raw, onMember, user)
	})
	if err != nil {
		return nil, err
	}
	return groups, nil
}
