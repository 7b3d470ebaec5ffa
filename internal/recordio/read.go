package recordio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Damage is a stretch of a file that holds no record. Reading goes on behind it.
type Damage struct {
	Offset int64 // where the record should begin
	Reason string
}

func (d *Damage) Error() string { return fmt.Sprintf("at byte %d: %s", d.Offset, d.Reason) }

// Reader reads a file's records in order. Nothing in the file is believed: memory never grows beyond the
// largest record that is asked for.
type Reader struct {
	// Block is how many bytes of the file are read at once, as long as no record is longer.
	Block int

	r     io.ReaderAt
	size  int64
	most  int // bytes of a record
	at    int64
	block []byte // of the file, from start on
	start int64
	long  []byte // a record that is longer than a block, or in parts
}

const blockSize = 1 << 20 // where nothing else is said: for reading from one end to the other

// NewReader reads size bytes of r. Records of more than most bytes are damage.
func NewReader(r io.ReaderAt, size int64, most int) *Reader {
	return &Reader{Block: blockSize, r: r, size: size, most: min(most, MaxRecord)}
}

// Resume goes on at a record's offset.
func (r *Reader) Resume(offset int64) { r.at = offset }

// Offset is where the next record begins, or should.
func (r *Reader) Offset() int64 { return r.at }

// Next returns the next record and where it begins; the record is valid until the next call. The error is
// io.EOF at the end, *[Damage] where there is no record, and the next call looks for one behind; other
// errors are the file's.
func (r *Reader) Next() (record []byte, offset int64, err error) {
	offset = r.at
	record, err = r.record()
	var d *Damage
	if errors.As(err, &d) {
		d.Offset = offset
		if err := r.resync(offset); err != nil {
			return nil, offset, err
		}
	}
	return record, offset, err
}

// bytes returns n bytes at an offset; the file has them.
func (r *Reader) bytes(at int64, n int) ([]byte, error) {
	if at < r.start || at+int64(n) > r.start+int64(len(r.block)) {
		want := min(max(int64(n), int64(r.Block)), r.size-at)
		if int64(cap(r.block)) < want {
			r.block = make([]byte, want)
		}
		r.block = r.block[:want]
		r.start = at
		if got, err := r.r.ReadAt(r.block, at); got < len(r.block) {
			r.block = r.block[:0]
			return nil, fmt.Errorf("%d bytes at byte %d: %w", want, at, err)
		}
	}
	return r.block[at-r.start:][:n], nil
}

// part reads the part at r.at and moves behind it.
func (r *Reader) part(most int) (kind uint32, data []byte, err error) {
	damage := func(format string, args ...any) (uint32, []byte, error) {
		return 0, nil, &Damage{Reason: fmt.Sprintf(format, args...)}
	}
	left := r.size - r.at
	if left < partHead {
		return damage("%d bytes are left, want a record's head of %d", left, partHead)
	}
	b, err := r.bytes(r.at, partHead)
	if err != nil {
		return 0, nil, err
	}
	if v := binary.LittleEndian.Uint32(b); v != magic {
		return damage("%#08x, want a record, which begins with %#08x", v, uint32(magic))
	}
	v := binary.LittleEndian.Uint32(b[4:])
	kind, n := v>>29, int64(v&MaxRecord)
	switch {
	case kind > kindLast:
		return damage("part of unknown kind %d", kind)
	case n > left-partHead:
		return damage("record of %d bytes, %d are left", n, left-partHead)
	case n > int64(most):
		return damage("record of more than %d bytes", r.most)
	}
	inside, err := r.find(r.at+partHead, int(min((n+3)&^3, left-partHead)))
	if err != nil {
		return 0, nil, err
	}
	if inside >= 0 {
		return damage("record of %d bytes, but another begins %d bytes behind its head", n, inside)
	}
	if data, err = r.bytes(r.at+partHead, int(n)); err != nil {
		return 0, nil, err
	}
	r.at = min(r.at+partHead+(n+3)&^3, r.size)
	return kind, data, nil
}

// find returns where in n bytes at an offset the number is that begins parts, -1 nowhere: a length that
// is wrong shows by it, before much is read.
func (r *Reader) find(at int64, n int) (int, error) {
	const step = 4096
	for from := 0; from+4 <= n; from += step {
		b, err := r.bytes(at+int64(from), min(step, n-from))
		if err != nil {
			return 0, err
		}
		for i := 0; i+4 <= len(b); i += 4 {
			if binary.LittleEndian.Uint32(b[i:]) == magic {
				return from + i, nil
			}
		}
	}
	return -1, nil
}

func (r *Reader) record() ([]byte, error) {
	if r.at >= r.size {
		return nil, io.EOF
	}
	kind, data, err := r.part(r.most)
	if err != nil || kind == kindWhole {
		return data, err
	}
	if kind != kindFirst {
		return nil, &Damage{Reason: "the last parts of a record without the first"}
	}
	r.long = append(r.long[:0], data...)
	for kind != kindLast {
		if r.at >= r.size {
			return nil, &Damage{Reason: "the first parts of a record without the last"}
		}
		r.long = binary.LittleEndian.AppendUint32(r.long, magic)
		if kind, data, err = r.part(max(0, r.most-len(r.long))); err != nil {
			return nil, err
		}
		if kind != kindMiddle && kind != kindLast {
			return nil, &Damage{Reason: "the first parts of a record without the last"}
		}
		r.long = append(r.long, data...)
	}
	return r.long, nil
}

// resync moves to the next place behind offset where a record may begin.
func (r *Reader) resync(offset int64) error {
	at := offset + 4
	at -= at & 3
	for ; at+partHead <= r.size; at += 4 {
		b, err := r.bytes(at, partHead)
		if err != nil {
			return err
		}
		kind := b[7] >> 5
		if binary.LittleEndian.Uint32(b) == magic && (kind == kindWhole || kind == kindFirst) {
			r.at = at
			return nil
		}
	}
	r.at = r.size
	return nil
}
