package clipcore

import (
	"errors"
	"runtime"
	"sync"
)

// ErrClosed is the error of a call on what has been closed.
var ErrClosed = errors.New("clipcore: the handle is closed")

// handle releases what C holds when it is closed and no call uses it any more. Close never waits.
type handle struct {
	mutex   sync.Mutex
	users   int
	closed  bool
	release func()
}

// use is the beginning of a call; done is its end.
func (h *handle) use() error {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.closed {
		return ErrClosed
	}
	h.users++
	return nil
}

func (h *handle) done() {
	h.mutex.Lock()
	h.users--
	last := h.closed && h.users == 0
	h.mutex.Unlock()
	if last {
		h.release()
	}
}

func (h *handle) close() {
	h.mutex.Lock()
	last := !h.closed && h.users == 0
	h.closed = true
	h.mutex.Unlock()
	if last {
		h.release()
	}
}

// newHandle calls release at Close, or when the garbage collector finds h without users. A handle of a runtime keeps it.
func newHandle(keeps *handle, release func()) *handle {
	h := &handle{release: release}
	if keeps != nil {
		h.release = func() {
			release()
			keeps.done()
		}
	}
	runtime.SetFinalizer(h, (*handle).close)
	return h
}
