package cache

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"

	"github.com/vf2prep/vf2prep/shard"
)

// partial is the samples of one unfinished shard, in the order in which they came, in a file of
// records. It is what an archive is read into, whose members come in another order than a
// shard's samples.
//
// A record is
//
//	4 bytes   magic
//	4         slot of the shard
//	4         number of the archive's member
//	4         length of the payload, with the highest bit set for a reject
//	4         CRC-32C of the payload
//	4         CRC-32C of the 20 bytes before
//	payload   a reject as JSON; or the landmarks, 10 float32, and the sample as the shard keeps it
//
// all of it little endian.
type partial struct {
	*shardPlan
	path string

	mu    sync.Mutex
	buf   []byte // records that are not in the file
	size  int64  // of the file
	dirty bool   // the file was written to since it was last synced
}

const (
	recordMagic  = 0x72326676 // "vf2r"
	recordHead   = 24
	recordPoints = 40
	recordReject = 1 << 31
)

type record struct {
	slot    int
	ordinal uint32
	length  int
	reject  bool
	crc     uint32
}

func (r record) append(b []byte) []byte {
	start := len(b)
	length := uint32(r.length)
	if r.reject {
		length |= recordReject
	}
	for _, v := range []uint32{recordMagic, uint32(r.slot), r.ordinal, length, r.crc} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// parseRecord reads a record's head of recordHead bytes. A head that can't be this shard's is
// not one.
func (p *partial) parseRecord(b []byte, longest int) (r record, ok bool) {
	at := func(i int) uint32 { return binary.LittleEndian.Uint32(b[i:]) }
	if at(0) != recordMagic || at(20) != crc32.Checksum(b[:20], castagnoli) {
		return r, false
	}
	r = record{slot: int(at(4)), ordinal: at(8), length: int(at(12) &^ recordReject), reject: at(12)&recordReject != 0, crc: at(16)}
	return r, r.slot < p.planned() && r.length <= longest
}

func partialName(shard string) string { return shard + ".partial" }

// longest is the longest payload of a build's records.
func (b *build) longest() int {
	return recordPoints + max(2*b.plan.Shape.Bytes(), 1<<16) // a JPEG of noise may be longer than the pixels
}

// partials is the sink of an archive's samples.
type partials struct {
	build *build
	list  []*partial
	limit int // bytes of records that a shard holds in memory
}

// openPartials finds the unfinished shards' samples of earlier runs. seen is told of each.
func (b *build) openPartials(ctx context.Context, todo []*shardPlan, seen func(position int, ordinal uint32)) (*partials, error) {
	all := &partials{build: b, limit: int(min(b.o.Memory/2/int64(len(todo)), 4<<20))}
	for _, s := range todo {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p := &partial{shardPlan: s, path: filepath.Join(b.plan.o.Out, partialName(s.name))}
		all.list = append(all.list, p)
		if err := p.scan(b.past.partials[filepath.Base(p.path)], b.longest(), seen); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// scan reads which samples the file holds. Up to synced bytes it is known to be on the disk, and
// the payloads are not read. Behind that it may have been cut off: what is sound stays.
func (p *partial) scan(synced int64, longest int, seen func(position int, ordinal uint32)) error {
	f, err := os.OpenFile(p.path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var head [recordHead]byte
	payload := make([]byte, longest)
	for {
		if _, err := f.ReadAt(head[:], p.size); err != nil {
			break
		}
		r, ok := p.parseRecord(head[:], longest)
		end := p.size + recordHead + int64(r.length)
		if !ok || end > info.Size() {
			break
		}
		if end > synced {
			if _, err := f.ReadAt(payload[:r.length], p.size+recordHead); err != nil || crc32.Checksum(payload[:r.length], castagnoli) != r.crc {
				break
			}
		}
		p.size = end
		seen(p.from+r.slot, r.ordinal)
	}
	if p.size < info.Size() {
		return f.Truncate(p.size)
	}
	return nil
}

func (all *partials) buffer(place) []uint8 { return nil }

func (all *partials) put(ph *photo, at points, data []byte) error {
	var fixed [recordPoints]byte
	for i, p := range at {
		binary.LittleEndian.PutUint32(fixed[8*i:], math.Float32bits(p[0]))
		binary.LittleEndian.PutUint32(fixed[8*i+4:], math.Float32bits(p[1]))
	}
	return all.add(ph, false, fixed[:], data)
}

func (all *partials) reject(ph *photo, r shard.Reject) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return all.add(ph, true, text, nil)
}

func (all *partials) add(ph *photo, reject bool, a, b []byte) error {
	crc := crc32.Update(crc32.Checksum(a, castagnoli), castagnoli, b)
	r := record{ph.place.slot, ph.ordinal, len(a) + len(b), reject, crc}
	p := all.list[ph.place.shard]
	p.mu.Lock()
	defer p.mu.Unlock()
	p.buf = append(append(r.append(p.buf), a...), b...)
	if len(p.buf) < all.limit {
		return nil
	}
	return p.flush()
}

// flush writes the records in memory to the file, which is not kept open: there may be thousands.
func (p *partial) flush() error {
	if len(p.buf) == 0 {
		return nil
	}
	f, err := os.OpenFile(p.path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	n, err := f.WriteAt(p.buf, p.size)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	p.size += int64(n)
	p.buf, p.dirty = p.buf[:0], true
	return nil
}

// sync brings all records to the disk and says so in the journal.
func (all *partials) sync() error {
	var entries []entry
	for _, p := range all.list {
		p.mu.Lock()
		err := p.flush()
		size, dirty := p.size, p.dirty
		p.dirty = false
		p.mu.Unlock()
		if err == nil && dirty {
			err = syncFile(p.path)
			entries = append(entries, entry{Partial: filepath.Base(p.path), Bytes: size})
		}
		if err != nil {
			return err
		}
	}
	return all.build.journal.add(entries...)
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	err = f.Sync()
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// errDamagedPartial says that records that were on the disk can't be read any more.
var errDamagedPartial = errors.New("samples of an unfinished shard were damaged on the disk and are forgotten: run the same command again")

// into gives a shard's records to its writer, the last member of a name winning, and marks the
// slots in have.
func (p *partial) into(w *shard.Writer, have []bool, item func(slot int) (item, error), longest int, raw bool) error {
	f, err := os.Open(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	last := make([]uint32, p.planned())
	payload := make([]byte, longest)
	var head [recordHead]byte
	for left := p.size; left > 0; {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return p.damaged()
		}
		rec, ok := p.parseRecord(head[:], longest)
		if !ok {
			return p.damaged()
		}
		data := payload[:rec.length]
		if _, err := io.ReadFull(r, data); err != nil || crc32.Checksum(data, castagnoli) != rec.crc {
			return p.damaged()
		}
		left -= recordHead + int64(rec.length)
		if have[rec.slot] && rec.ordinal < last[rec.slot] {
			continue
		}
		have[rec.slot], last[rec.slot] = true, rec.ordinal
		it, err := item(rec.slot)
		if err != nil {
			return err
		}
		if it.problem == forgottenProblem { // since then
			w.Reject(rec.slot, it.reject())
			continue
		}
		if rec.reject {
			var reject shard.Reject
			if json.Unmarshal(data, &reject) != nil {
				return p.damaged()
			}
			w.Reject(rec.slot, reject)
			continue
		}
		var at points
		for i := range at {
			at[i][0] = math.Float32frombits(binary.LittleEndian.Uint32(data[8*i:]))
			at[i][1] = math.Float32frombits(binary.LittleEndian.Uint32(data[8*i+4:]))
		}
		s := it.sample(at)
		if pixels := data[recordPoints:]; !raw {
			s.Data = append([]byte(nil), pixels...)
		} else if buf := w.Buffer(rec.slot); len(buf) != len(pixels) {
			return p.damaged()
		} else {
			copy(buf, pixels)
		}
		w.Put(rec.slot, s)
	}
	return nil
}

// damaged removes the file, so that the next run makes its samples again.
func (p *partial) damaged() error {
	if err := os.Remove(p.path); err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", filepath.Base(p.path), errDamagedPartial)
}
