package eval

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/vf2prep/vf2prep/internal/capped"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/safetensors"
)

// EmbeddingRows is an open file of embeddings whose vectors are read as they are needed, so that
// one that is larger than memory can be gone through. [OpenEmbeddings] names the formats.
type EmbeddingRows struct {
	Keys   []string
	Width  int
	Origin EmbeddingsOrigin

	path   string
	file   *os.File
	start  int64 // of the data, in bytes
	matrix matrix
	info   embeddingsInfo
}

// OpenEmbeddingRows opens a file; keys names the file of its keys, "" looks beside it. Errors are
// those of [OpenEmbeddings], except that values are looked at when they are read.
func OpenEmbeddingRows(path, keys string) (*EmbeddingRows, error) {
	f, size, err := capped.Open(path, maxEmbeddingsFile, ErrEmbeddings)
	if err != nil {
		return nil, err
	}
	r := &EmbeddingRows{path: path, file: f}
	switch filepath.Ext(path) {
	case ".npy":
		err = r.openNPY(size, keys)
	case ".safetensors":
		err = r.openTensor(size, keys)
	default:
		err = fmt.Errorf("%s: want a name that ends in .npy or .safetensors: %w", path, ErrEmbeddings)
	}
	if err == nil {
		err = r.matrix.fits(path, r.Keys, r.info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	r.Width, r.Origin = r.matrix.width, r.info.EmbeddingsOrigin
	return r, nil
}

func (r *EmbeddingRows) openNPY(size int64, keys string) error {
	h, err := readNPYHead(bufio.NewReader(io.NewSectionReader(r.file, 0, size)))
	if err != nil {
		return fmt.Errorf("%s: %w: %w", r.path, err, ErrEmbeddings)
	}
	if h.fortran {
		return fmt.Errorf("%s: Fortran order, want C order (np.ascontiguousarray): %w", r.path, ErrEmbeddings)
	}
	if r.info, err = readSidecar(sibling(r.path, ".json")); err != nil {
		return err
	}
	r.start = h.size
	if r.matrix, err = newMatrix(r.path, h.descr, h.shape, size-h.size); err != nil {
		return err
	}
	r.Keys, err = readKeysBeside(r.path, keys)
	return err
}

func (r *EmbeddingRows) openTensor(size int64, keys string) error {
	h, err := safetensors.ReadHeader(r.file, size)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", r.path, err, ErrEmbeddings)
	}
	t, m, err := tensorMatrix(r.path, h)
	if err != nil {
		return err
	}
	r.matrix, r.start, r.info = m, h.DataStart+t.Offset, infoOf(h.Metadata)
	r.Keys, err = tensorKeysOr(r.path, r.file, h, m.rows, keys)
	return err
}

// Close closes the file.
func (r *EmbeddingRows) Close() error { return r.file.Close() }

// Read writes rows from to from+n-1 to dst, n*Width values, each divided by its Euclidean length
// as [OpenEmbeddings] does; a row of zeros stays one. The error names the key of a value that is
// NaN or infinite. Read may be called by several goroutines.
func (r *EmbeddingRows) Read(from, n int, dst []float32) error {
	row := r.Width * int(r.matrix.bytes)
	buf := make([]byte, n*row)
	if _, err := r.file.ReadAt(buf, r.start+int64(from)*int64(row)); err != nil {
		return fmt.Errorf("%s: %w: %w", r.path, err, ErrEmbeddings)
	}
	one := Embeddings{Width: r.Width}
	for i := range n {
		v := dst[i*r.Width : (i+1)*r.Width]
		b := buf[i*row : (i+1)*row]
		if r.matrix.bytes == 4 {
			for j := range v {
				v[j] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*j:]))
			}
		} else {
			for j := range v {
				v[j] = r.matrix.decode(b[8*j:])
			}
		}
		one.Keys, one.Data = one.Keys[:0], one.Data[:0]
		ok, err := one.put(r.Keys[from+i], v, false, r.info.Normalized)
		if err != nil {
			return fmt.Errorf("%s: %w: %w", r.path, err, ErrEmbeddings)
		}
		if !ok {
			clear(v)
			continue
		}
		copy(v, one.Data)
	}
	return nil
}

// Provenance returns what a result says of the file. It reads all of it, and fails where the
// values are not those that the file says were written; add hears of the bytes that were read.
func (r *EmbeddingRows) Provenance(add func(n int)) (Provenance, error) {
	p := r.Origin.Provenance
	whole, data := digest.New(), digest.New()
	end := r.start + int64(r.matrix.rows)*int64(r.Width)*r.matrix.bytes
	buf := make([]byte, 1<<20)
	for at := int64(0); ; {
		n, err := r.file.ReadAt(buf, at)
		whole.Write(buf[:n])
		if from, to := max(at, r.start), min(at+int64(n), end); r.info.Data != "" && from < to {
			data.Write(buf[from-at : to-at])
		}
		at += int64(n)
		add(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return p, fmt.Errorf("%s: %w", r.path, err)
		}
	}
	if r.info.Data != "" && r.info.Data != data.String() {
		return p, fmt.Errorf("%s: the values are other ones (%s) than were written (%s): %w", r.path, data, r.info.Data, ErrEmbeddings)
	}
	p.Embeddings = whole.String()
	return p, nil
}

// KeysDigest names the keys in their order.
func (r *EmbeddingRows) KeysDigest() string { return keysDigest(r.Keys) }

// IdentityOf returns the identity of a key: what stands before the last slash.
func IdentityOf(key string) string { return identityOf(key) }

// KeyOf returns the key of an image's path: without the extension of an image file.
func KeyOf(path string) string { return withoutExtension(path) }
