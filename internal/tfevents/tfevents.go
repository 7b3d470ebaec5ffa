// Package tfevents writes TensorBoard's event files: scalars over steps, which TensorBoard and
// everything that reads its logs can draw while a training runs.
//
// A file is a sequence of TFRecords, numbers little endian:
//
//	8 bytes   n, length of the event
//	4 bytes   masked CRC-32C of those 8 bytes
//	n bytes   the event, a protocol buffer message
//	4 bytes   masked CRC-32C of the event
//
//	message Event   { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }
//	message Summary { repeated Value value = 1; }
//	message Value   { string tag = 1; float simple_value = 2; }
//
// The first event holds file_version "brain.Event:2" and nothing else but its time. The masking
// is TensorFlow's: a CRC that is stored beside its data is rotated and shifted.
//
// # Guarantees
//
// A file that was cut off, by a kill or a full disk, is continued after its last whole record.
// The length of an event depends on its step and tags alone, never on values or times, so that
// steps which are written again after an interruption take the very bytes they took before, and
// a TensorBoard that has the file open reads on undisturbed.
package tfevents

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Name is a file name that TensorBoard finds: it looks for "tfevents" in it.
const Name = "events.out.tfevents.vf2prep"

// fileVersion is what TensorBoard wants to see first.
const fileVersion = "brain.Event:2"

// The fields of the three messages.
const (
	eventWallTime    = 1
	eventStep        = 2
	eventFileVersion = 3
	eventSummary     = 5
	summaryValue     = 1
	valueTag         = 1
	valueSimple      = 2
)

// Scalar is one value under a tag such as "train/loss".
type Scalar struct {
	Tag   string
	Value float64 // stored as float32
}

// Writer appends events to one file. It is not for use by two goroutines at once.
type Writer struct {
	f    *os.File
	size int64
	buf  []byte
}

// Open continues the file at path, or begins it where there is none. Of an existing file the
// first keep bytes at most stay, and of these only whole and undamaged records; keep < 0 keeps
// every such record.
func Open(path string, keep int64) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	w := &Writer{f: f}
	if err := w.begin(keep); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return w, nil
}

func (w *Writer) begin(keep int64) error {
	if keep < 0 {
		keep = math.MaxInt64
	}
	for w.size < keep {
		n, err := readRecord(io.NewSectionReader(w.f, w.size, keep-w.size), nil)
		if errors.Is(err, io.EOF) || errors.Is(err, errRecord) {
			break
		}
		if err != nil {
			return err
		}
		w.size += n
	}
	if err := w.f.Truncate(w.size); err != nil {
		return err
	}
	if w.size > 0 {
		return nil
	}
	return w.append(func(b []byte) []byte {
		b = protowire.AppendTag(b, eventFileVersion, protowire.BytesType)
		return protowire.AppendString(b, fileVersion)
	})
}

// Scalars appends one event: values at a step.
func (w *Writer) Scalars(step int64, values ...Scalar) error {
	return w.append(func(b []byte) []byte {
		b = protowire.AppendTag(b, eventStep, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(step))
		var summary []byte
		for _, s := range values {
			var v []byte
			v = protowire.AppendTag(v, valueTag, protowire.BytesType)
			v = protowire.AppendString(v, s.Tag)
			v = protowire.AppendTag(v, valueSimple, protowire.Fixed32Type)
			v = protowire.AppendFixed32(v, math.Float32bits(float32(s.Value)))
			summary = protowire.AppendTag(summary, summaryValue, protowire.BytesType)
			summary = protowire.AppendBytes(summary, v)
		}
		b = protowire.AppendTag(b, eventSummary, protowire.BytesType)
		return protowire.AppendBytes(b, summary)
	})
}

// append writes one record with the present time; nothing is kept in memory.
func (w *Writer) append(body func([]byte) []byte) error {
	now := float64(time.Now().UnixMicro()) / 1e6
	b := OpenRecord(w.buf[:0])
	b = protowire.AppendTag(b, eventWallTime, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, math.Float64bits(now))
	b = CloseRecord(body(b), 0)
	w.buf = b
	n, err := w.f.WriteAt(b, w.size)
	if err != nil {
		_ = w.f.Truncate(w.size) // no half record: the disk may have room again later
		return fmt.Errorf("%d of %d bytes written: %w", n, len(b), err)
	}
	w.size += int64(n)
	return nil
}

// Size returns the bytes written so far, a number that [Open] takes as keep.
func (w *Writer) Size() int64 { return w.size }

// Sync makes what was written survive a loss of power.
func (w *Writer) Sync() error { return w.f.Sync() }

// Close closes the file.
func (w *Writer) Close() error { return w.f.Close() }

// errRecord says that bytes are no whole, undamaged record.
var errRecord = errors.New("damaged or cut-off record")

const (
	recordHead = 12      // length and its checksum
	maxEvent   = 1 << 20 // ours take some hundred bytes
)

// readRecord reads one record and returns its length. It gives the event to use, where that is
// not nil. The error is io.EOF at the end, or wraps errRecord.
func readRecord(r io.Reader, use func(event []byte)) (int64, error) {
	var head [recordHead]byte
	switch _, err := io.ReadFull(r, head[:]); {
	case err == io.ErrUnexpectedEOF:
		return 0, errRecord
	case err != nil:
		return 0, err
	}
	n := binary.LittleEndian.Uint64(head[:])
	if binary.LittleEndian.Uint32(head[8:]) != masked(head[:8]) || n > maxEvent {
		return 0, errRecord
	}
	b := make([]byte, n+4)
	switch _, err := io.ReadFull(r, b); {
	case err == io.ErrUnexpectedEOF || err == io.EOF:
		return 0, errRecord
	case err != nil:
		return 0, err
	}
	if binary.LittleEndian.Uint32(b[n:]) != masked(b[:n]) {
		return 0, errRecord
	}
	if use != nil {
		use(b[:n])
	}
	return recordHead + int64(n) + 4, nil
}

// OpenRecord begins a record at the end of b, of TensorFlow's record files in general: what is
// appended then, up to [CloseRecord], is its contents.
func OpenRecord(b []byte) []byte { return append(b, make([]byte, recordHead)...) }

// CloseRecord ends the record that begins at b[start]: the length and its checksum go before the
// contents, the contents' checksum behind.
func CloseRecord(b []byte, start int) []byte {
	head, data := b[start:start+recordHead], b[start+recordHead:]
	binary.LittleEndian.PutUint64(head, uint64(len(data)))
	binary.LittleEndian.PutUint32(head[8:], masked(head[:8]))
	return binary.LittleEndian.AppendUint32(b, masked(data))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked is TensorFlow's checksum of b: CRC-32C turned right by 15 bits plus a constant
// (tensorflow/core/lib/hash/crc32c.h, kMaskDelta).
func masked(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}
