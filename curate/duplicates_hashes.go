package curate

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/internal/progress"
)

// hashed is what is known of a list of pictures.
type hashed struct {
	near, exact []uint64
	rejected    map[int]cache.Rejection
}

// blockImages is how many images a block of the journal holds.
const blockImages = 1024

// journalMagic begins a journal of hashes; the digest of the list follows, then blocks:
//
//	images U32, bytes of rejections U32
//	near U64, exact U64        for each image
//	rejections                 JSON, image by its place in the list
//	CRC-32C of all of it U32
//
// Numbers are little endian. A block that is cut off or damaged and all behind it are made anew.
const journalMagic = "vf2prep.hashes/1 "

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// hashAll hashes every picture, and goes on behind what the journal has of the same list.
func hashAll(ctx context.Context, list pictures, journal string, p progress.Reporter) (*hashed, error) {
	f, err := os.OpenFile(journal, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := &hashed{rejected: map[int]cache.Rejection{}}
	end, err := h.read(f, list)
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
		if _, err := io.WriteString(f, journalMagic+list.digest()+"\n"); err != nil {
			return nil, err
		}
	}
	p.Start(int64(list.len()), "hash images")
	defer p.Done()
	p.Add(int64(len(h.near)))
	for len(h.near) < list.len() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := h.block(f, list, p); err != nil {
			return nil, err
		}
	}
	return h, f.Sync()
}

// block hashes the next images and appends them to the journal.
func (h *hashed) block(f *os.File, list pictures, p progress.Reporter) error {
	from := len(h.near)
	n := min(blockImages, list.len()-from)
	near, exact, failed := make([]uint64, n), make([]uint64, n), make([]error, n)
	const piece = 16
	parallel((n+piece-1)/piece, func(k int) {
		var t thumb
		for i := k * piece; i < min(n, (k+1)*piece); i++ {
			if exact[i], failed[i] = list.shrink(from+i, &t); failed[i] == nil {
				near[i] = Hash(t[:])
			}
		}
		p.Add(int64(min(n, (k+1)*piece) - k*piece))
	})
	rejected := map[int]cache.Rejection{}
	for i, err := range failed {
		var r *cache.Rejection
		if errors.As(err, &r) {
			rejected[from+i] = *r
		} else if err != nil {
			return fmt.Errorf("%s: %w", list.key(from+i), err)
		}
	}
	text, err := json.Marshal(rejected)
	if err != nil {
		return err
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(n))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
	for i := range n {
		b = binary.LittleEndian.AppendUint64(b, near[i])
		b = binary.LittleEndian.AppendUint64(b, exact[i])
	}
	b = append(b, text...)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	if _, err := f.Write(b); err != nil {
		return err
	}
	h.near, h.exact = append(h.near, near...), append(h.exact, exact...)
	for i, r := range rejected {
		h.rejected[i] = r
	}
	return nil
}

// maxRejections is the longest text of a block's rejections, bytes.
const maxRejections = 16 << 20

// read takes what a journal of the same list has, and returns where it ends being sound.
func (h *hashed) read(f io.Reader, list pictures) (end int64, err error) {
	head := []byte(journalMagic + list.digest() + "\n")
	got := make([]byte, len(head))
	if _, err := io.ReadFull(f, got); err != nil || !bytes.Equal(got, head) {
		return 0, ignoreShort(err)
	}
	end = int64(len(head))
	for {
		var sizes [8]byte
		if _, err := io.ReadFull(f, sizes[:]); err != nil {
			return end, ignoreShort(err)
		}
		n, long := int(binary.LittleEndian.Uint32(sizes[:])), int(binary.LittleEndian.Uint32(sizes[4:]))
		if n < 1 || n > blockImages || long > maxRejections || len(h.near)+n > list.len() {
			return end, nil
		}
		b := make([]byte, 8+16*n+long+4)
		copy(b, sizes[:])
		if _, err := io.ReadFull(f, b[8:]); err != nil {
			return end, ignoreShort(err)
		}
		body := len(b) - 4
		rejected := map[int]cache.Rejection{}
		if crc32.Checksum(b[:body], castagnoli) != binary.LittleEndian.Uint32(b[body:]) || json.Unmarshal(b[8+16*n:body], &rejected) != nil {
			return end, nil
		}
		for i := range n {
			h.near = append(h.near, binary.LittleEndian.Uint64(b[8+16*i:]))
			h.exact = append(h.exact, binary.LittleEndian.Uint64(b[16+16*i:]))
		}
		for i, r := range rejected {
			h.rejected[i] = r
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
