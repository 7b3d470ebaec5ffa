package curate

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/internal/progress"
)

// hashed is what is known of a list of pictures, by their places in it.
type hashed struct {
	near, exact []uint64
	rejected    map[int]cache.Rejection
	resumed     int // of all, known from before
}

func (h *hashed) bad(i int) bool { _, bad := h.rejected[i]; return bad }

// blockImages is how many images a block of the journal holds.
const blockImages = 1024

// journalMagic begins a journal of hashes. Blocks follow:
//
//	images U32, bytes of rejections U32
//	id U64, near U64, exact U64   for each image
//	rejections                    JSON, by place in the block, of images that can't be decoded
//	CRC-32C of all of it U32
//
// Numbers are little endian. An id names an image's bytes and what was looked at of them, so that hashes outlive
// changes of the manifest, the split and the options. A block that is cut off or damaged and all behind it are
// made anew. What could not be read is not kept: it may be there the next time.
const journalMagic = "vf2prep.hashes/2\n"

const entryBytes = 3 * 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrHashes says that a file is no journal of hashes.
var ErrHashes = errors.New("no hashes.bin of this version")

type entry struct{ id, near, exact uint64 }

// past is what journals have, by id.
type past struct {
	entries  []entry
	rejected map[uint64]cache.Rejection
}

func (x *past) add(e entry, r *cache.Rejection) {
	if r != nil {
		x.rejected[e.id] = *r
	}
	x.entries = append(x.entries, e)
}

func (x *past) sort() {
	slices.SortFunc(x.entries, func(a, b entry) int { return cmp.Compare(a.id, b.id) })
}

func (x *past) find(id uint64) (entry, bool) {
	k, ok := slices.BinarySearchFunc(x.entries, id, func(e entry, id uint64) int { return cmp.Compare(e.id, id) })
	if !ok {
		return entry{}, false
	}
	return x.entries[k], true
}

// hashAll hashes every picture that neither the journal nor others like it have, and adds it to the journal.
// While it looks them up it takes 24 bytes for each image that the journals have.
func hashAll(ctx context.Context, list pictures, journal string, others []string, p progress.Reporter) (*hashed, error) {
	f, err := os.OpenFile(journal, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	was := &past{rejected: map[uint64]cache.Rejection{}}
	end, err := readJournal(f, was.add)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", journal, err)
	}
	if err := f.Truncate(end); err != nil {
		return nil, err
	}
	if _, err := f.Seek(end, io.SeekStart); err != nil {
		return nil, err
	}
	if end == 0 {
		if _, err := io.WriteString(f, journalMagic); err != nil {
			return nil, err
		}
	}
	for _, name := range others {
		if err := was.open(name); err != nil {
			return nil, err
		}
	}
	was.sort()
	h := &hashed{near: make([]uint64, list.len()), exact: make([]uint64, list.len()), rejected: map[int]cache.Rejection{}}
	var todo []uint32
	for i := range h.near {
		e, ok := was.find(list.id(i))
		if !ok {
			todo = append(todo, uint32(i))
			continue
		}
		h.near[i], h.exact[i] = e.near, e.exact
		if r, bad := was.rejected[e.id]; bad {
			h.rejected[i] = r
		}
	}
	*was = past{}
	h.resumed = list.len() - len(todo)
	p.Start(int64(list.len()), "hash images")
	defer p.Done()
	p.Add(int64(h.resumed))
	for block := range slices.Chunk(todo, blockImages) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := h.block(f, list, block, p); err != nil {
			return nil, err
		}
	}
	return h, f.Sync()
}

func (x *past) open(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	end, err := readJournal(f, x.add)
	if err == nil && end == 0 {
		err = ErrHashes
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// block hashes some images and appends them to the journal.
func (h *hashed) block(f io.Writer, list pictures, places []uint32, p progress.Reporter) error {
	failed := make([]error, len(places))
	const piece = 16
	parallel((len(places)+piece-1)/piece, func(k int) {
		var t thumb
		mine := places[k*piece : min(len(places), (k+1)*piece)]
		for j, i := range mine {
			if h.exact[i], failed[k*piece+j] = list.shrink(int(i), &t); failed[k*piece+j] == nil {
				h.near[i] = Hash(t[:])
			}
		}
		p.Add(int64(len(mine)))
	})
	var entries []byte
	n, rejected := 0, map[int]cache.Rejection{}
	for j, i := range places {
		if err := failed[j]; err != nil {
			var r *cache.Rejection
			if !errors.As(err, &r) {
				return fmt.Errorf("%s: %w", list.key(int(i)), err)
			}
			h.rejected[int(i)] = *r
			if r.Stage == stageRead {
				continue
			}
			rejected[n] = *r
		}
		for _, v := range []uint64{list.id(int(i)), h.near[i], h.exact[i]} {
			entries = binary.LittleEndian.AppendUint64(entries, v)
		}
		n++
	}
	if n == 0 {
		return nil
	}
	text, err := json.Marshal(rejected)
	if err != nil {
		return err
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(n))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
	b = append(append(b, entries...), text...)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	_, err = f.Write(b)
	return err
}

// maxRejections is the longest text of a block's rejections, bytes.
const maxRejections = 16 << 20

// readJournal gives add all that a journal has and returns where it ends being sound, 0 where it is none.
func readJournal(f io.Reader, add func(entry, *cache.Rejection)) (end int64, err error) {
	head := make([]byte, len(journalMagic))
	if _, err := io.ReadFull(f, head); err != nil || string(head) != journalMagic {
		return 0, ignoreShort(err)
	}
	end = int64(len(head))
	var b []byte
	for {
		var sizes [8]byte
		if _, err := io.ReadFull(f, sizes[:]); err != nil {
			return end, ignoreShort(err)
		}
		n, long := int(binary.LittleEndian.Uint32(sizes[:])), int(binary.LittleEndian.Uint32(sizes[4:]))
		if n < 1 || n > blockImages || long > maxRejections {
			return end, nil
		}
		b = append(b[:0], sizes[:]...)
		b = slices.Grow(b, entryBytes*n+long+4)[:8+entryBytes*n+long+4]
		if _, err := io.ReadFull(f, b[8:]); err != nil {
			return end, ignoreShort(err)
		}
		body := len(b) - 4
		var rejected map[int]cache.Rejection
		if crc32.Checksum(b[:body], castagnoli) != binary.LittleEndian.Uint32(b[body:]) || json.Unmarshal(b[8+entryBytes*n:body], &rejected) != nil {
			return end, nil
		}
		for i := range n {
			e := b[8+entryBytes*i:]
			var r *cache.Rejection
			if x, bad := rejected[i]; bad {
				r = &x
			}
			add(entry{binary.LittleEndian.Uint64(e), binary.LittleEndian.Uint64(e[8:]), binary.LittleEndian.Uint64(e[16:])}, r)
		}
		end += int64(len(b))
	}
}

// ignoreShort is nil for a file that ends early: what is missing is made.
func ignoreShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
