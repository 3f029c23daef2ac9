package clipcore

/*
#include <stdlib.h>
#include <clipcore/clip_index.h>

extern int clipcoreProgress(void *, uint64_t, uint64_t);
extern void clipcoreLog(void *, unsigned, char *);
extern int clipcoreEntry(void *, clip_index_entry *);
extern int clipcoreFilter(void *, clip_index_entry *);
extern int clipcoreMember(void *, uint64_t, clip_index_entry *);
extern int clipcorePair(void *, clip_index_entry *, clip_index_entry *);
*/
import "C"

import (
	"context"
	"runtime"
	"runtime/cgo"
	"unsafe"
)

// call is what C's callbacks find of the call that they belong to. A panic in one of its functions ends the call, and
// goes on in the caller: nothing may unwind C's frames.
type call struct {
	ctx      context.Context
	progress func(done, total uint64)
	visit    func(Entry) bool
	filter   func(Entry) bool
	pair     func(a, b Entry)
	member   func(group uint64, entry Entry)
	panicked any
}

// newUser is a pointer for C that stands for a value of Go.
func newUser(value any) unsafe.Pointer {
	user := C.malloc(C.size_t(unsafe.Sizeof(uintptr(0))))
	*(*uintptr)(user) = uintptr(cgo.NewHandle(value))
	return user
}

func freeUser(user unsafe.Pointer) {
	cgo.Handle(*(*uintptr)(user)).Delete()
	C.free(user)
}

func valueOf(user unsafe.Pointer) any {
	return cgo.Handle(*(*uintptr)(user)).Value()
}

// check makes a call of C that has no callbacks. The message is that of the calling thread.
func check(f func() C.clip_status) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return result(f())
}

func result(status C.clip_status) error {
	if status == C.CLIP_OK {
		return nil
	}
	return &Error{Status: Status(status), Message: C.GoString(C.clip_last_error())}
}

// run makes a long call of C, which the end of ctx cancels.
func (c *call) run(f func(progress C.clip_progress, user unsafe.Pointer) C.clip_status) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	user := newUser(c)
	defer freeUser(user)
	progress := C.clip_progress{user: user}
	if c.progress != nil || c.ctx.Done() != nil {
		progress.fn = C.clip_progress_fn(C.clipcoreProgress)
	}
	err := check(func() C.clip_status { return f(progress, user) })
	if c.panicked != nil {
		panic(c.panicked)
	}
	if failed, is := err.(*Error); is && failed.Status == Cancelled {
		failed.cause = c.ctx.Err()
	}
	return err
}

// guarded runs a function of the caller's; 1, which ends the call, after a panic.
func (c *call) guarded(f func() bool) (answer C.int) {
	if c.panicked != nil {
		return 1
	}
	defer func() {
		if c.panicked = recover(); c.panicked != nil {
			answer = 1
		}
	}()
	if f() {
		return 1
	}
	return 0
}

//export clipcoreProgress
func clipcoreProgress(user unsafe.Pointer, done, total C.uint64_t) C.int {
	c := valueOf(user).(*call)
	return c.guarded(func() bool {
		if c.progress != nil {
			c.progress(uint64(done), uint64(total))
		}
		return c.ctx.Err() != nil
	})
}

//export clipcoreLog
func clipcoreLog(user unsafe.Pointer, level C.uint, message *C.char) {
	defer func() { _ = recover() }()
	valueOf(user).(func(LogLevel, string))(LogLevel(level), C.GoString(message))
}

func entryOf(raw *C.clip_index_entry) Entry {
	bytes := func(b C.clip_index_bytes) []byte { return C.GoBytes(b.data, C.int(b.size)) }
	return Entry{Score: float32(raw.score), Key: bytes(raw.key), Metadata: bytes(raw.metadata)}
}

//export clipcoreEntry
func clipcoreEntry(user unsafe.Pointer, raw *C.clip_index_entry) C.int {
	c := valueOf(user).(*call)
	return c.guarded(func() bool { return !c.visit(entryOf(raw)) })
}

//export clipcoreFilter
func clipcoreFilter(user unsafe.Pointer, raw *C.clip_index_entry) C.int {
	c := valueOf(user).(*call)
	return c.guarded(func() bool { return c.filter(entryOf(raw)) })
}

//export clipcorePair
func clipcorePair(user unsafe.Pointer, a, b *C.clip_index_entry) C.int {
	c := valueOf(user).(*call)
	return c.guarded(func() bool {
		c.pair(entryOf(a), entryOf(b))
		return false
	})
}

//export clipcoreMember
func clipcoreMember(user unsafe.Pointer, group C.uint64_t, raw *C.clip_index_entry) C.int {
	c := valueOf(user).(*call)
	return c.guarded(func() bool {
		c.member(uint64(group), entryOf(raw))
		return false
	})
}

var (
	onLog    = C.clip_log_fn(C.clipcoreLog)
	onEntry  = C.clip_index_entry_fn(C.clipcoreEntry)
	onFilter = C.clip_index_filter_fn(C.clipcoreFilter)
	onMember = C.clip_index_member_fn(C.clipcoreMember)
	onPair   = C.clip_index_pair_fn(C.clipcorePair)
)
