package eval

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/vf2prep/vf2prep/internal/capped"
	"github.com/vf2prep/vf2prep/internal/digest"
)

// ErrEmbeddings says that a file does not hold embeddings with their keys.
var ErrEmbeddings = errors.New("no usable embeddings")

// embeddingsFormat names the files that [Embeddings.Save] writes.
const embeddingsFormat = "vf2prep.embeddings/1"

// Bounds of an embeddings file that is believed: VGGFace2's 3.3 million images with 2048 values
// each take 27 GB.
const (
	maxEmbeddingsFile = 64 << 30 // bytes
	maxEmbeddings     = 50_000_000
	maxWidth          = 1 << 16
	maxKeysFile       = 2 << 30 // bytes
	maxKey            = 1024    // bytes
	maxSidecar        = 1 << 20 // bytes
)

// EmbeddingsOptions say how embeddings are read.
type EmbeddingsOptions struct {
	Raw  bool   // keep the lengths that the vectors have, instead of dividing by them
	Keys string // file of the keys, one a line; "" looks beside the embeddings
}

// embeddingsInfo is what a file says of its embeddings: the JSON beside an .npy, the metadata of
// a safetensors file. Data and KeysSum are digests of the values' bytes and of the keys, each
// followed by a newline, so that a file with the keys of another is noticed.
type embeddingsInfo struct {
	Format     string `json:"format"`
	Normalized bool   `json:"normalized"`
	Data       string `json:"data,omitempty"`
	KeysSum    string `json:"keys,omitempty"`
	EmbeddingsOrigin
}

// EmbeddingsOrigin is what embeddings were made from.
type EmbeddingsOrigin struct {
	Provenance
	Part string `json:"part,omitempty"` // of the shards
	Crop string `json:"crop,omitempty"` // what made pixels of image files, where no shards did
}

// OpenEmbeddings reads embeddings and divides each by its Euclidean length:
//
//   - NAME.npy: NumPy, float32 or float64, little endian, C order, [N,D]. The keys are in
//     NAME.keys.txt or NAME_index.txt, one a line in the order of the rows; a NAME that ends in
//     _float32 or _float64 may lack that in the name of its keys. NAME.json may say more.
//   - NAME.safetensors: tensor "embedding" F32 or F64 [N,D]; keys in "key" U8 and "key_offsets"
//     I64 [N+1] as package shard keeps them, or in a file of keys as above.
//
// Vectors of zeros, which have no direction, are left out and listed in Skips. The error wraps
// [ErrEmbeddings] where the file or its keys are not that, and names the key where one comes
// twice or a value is NaN or infinite.
func OpenEmbeddings(path string) (*Embeddings, error) {
	return ReadEmbeddings(path, EmbeddingsOptions{})
}

// ReadEmbeddings is [OpenEmbeddings] with options.
func ReadEmbeddings(path string, o EmbeddingsOptions) (*Embeddings, error) {
	f, size, err := capped.Open(path, maxEmbeddingsFile, ErrEmbeddings)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var e *Embeddings
	switch filepath.Ext(path) {
	case ".npy":
		e, err = readNPY(path, f, size, o)
	case ".safetensors":
		e, err = readTensor(path, f, size, o)
	default:
		err = fmt.Errorf("%s: want a name that ends in .npy or .safetensors: %w", path, ErrEmbeddings)
	}
	if err != nil {
		return nil, err
	}
	if len(e.Keys) == 0 {
		return nil, fmt.Errorf("%s: none of %d vectors can be used: %w", path, len(e.Skips), ErrEmbeddings)
	}
	return e, nil
}

// EmbeddingsProvenance returns what a result says of embeddings that were read from a file.
func EmbeddingsProvenance(path string, e *Embeddings) (Provenance, error) {
	p := e.Origin.Provenance
	var err error
	p.Embeddings, err = digest.File(path)
	return p, err
}

func readNPY(path string, f io.Reader, size int64, o EmbeddingsOptions) (*Embeddings, error) {
	r := bufio.NewReaderSize(f, 1<<16)
	h, err := readNPYHead(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, err, ErrEmbeddings)
	}
	info, err := readSidecar(sibling(path, ".json"))
	if err != nil {
		return nil, err
	}
	if h.fortran {
		return nil, fmt.Errorf("%s: Fortran order, want C order (np.ascontiguousarray): %w", path, ErrEmbeddings)
	}
	m, err := newMatrix(path, h.descr, h.shape, size-h.size)
	if err != nil {
		return nil, err
	}
	keys, err := readKeysBeside(path, o.Keys)
	if err != nil {
		return nil, err
	}
	return m.read(path, r, keys, info, o.Raw)
}

// matrix is the shape of an array of embeddings that was held against the file's size.
type matrix struct {
	rows, width int
	bytes       int64 // of an element
	decode      func(b []byte) float32
}

func newMatrix(path, descr string, shape []int64, size int64) (m matrix, err error) {
	var ok bool
	if m.bytes, m.decode, ok = floatDecoder(descr); !ok {
		return m, fmt.Errorf("%s: elements of type %.20q, want float32 or float64 in little endian order: %w", path, descr, ErrEmbeddings)
	}
	if len(shape) != 2 || shape[0] < 1 || shape[0] > maxEmbeddings || shape[1] < 1 || shape[1] > maxWidth {
		return m, fmt.Errorf("%s: shape %v, want [N,D] with up to %d vectors of up to %d values: %w", path, shape, maxEmbeddings, maxWidth, ErrEmbeddings)
	}
	if want := shape[0] * shape[1] * m.bytes; size != want {
		return m, fmt.Errorf("%s: %d bytes of data, shape %v takes %d: %w", path, size, shape, want, ErrEmbeddings)
	}
	m.rows, m.width = int(shape[0]), int(shape[1])
	return m, nil
}

// fits holds keys against the rows and against what the file says of them.
func (m matrix) fits(path string, keys []string, info embeddingsInfo) error {
	if len(keys) != m.rows {
		return fmt.Errorf("%s: %d vectors and %d keys: %w", path, m.rows, len(keys), ErrEmbeddings)
	}
	if sum := keysDigest(keys); info.KeysSum != "" && info.KeysSum != sum {
		return fmt.Errorf("%s: the keys are other ones (%s) than it was written with (%s): %w", path, sum, info.KeysSum, ErrEmbeddings)
	}
	if err := checkKeys(keys); err != nil {
		return fmt.Errorf("%s: %w: %w", path, err, ErrEmbeddings)
	}
	return nil
}

// read takes the rows from r.
func (m matrix) read(path string, r io.Reader, keys []string, info embeddingsInfo, raw bool) (*Embeddings, error) {
	if err := m.fits(path, keys, info); err != nil {
		return nil, err
	}
	e := &Embeddings{Width: m.width, Raw: raw, Origin: info.EmbeddingsOrigin,
		Keys: make([]string, 0, m.rows), Data: make([]float32, 0, m.rows*m.width)}
	sum := digest.New()
	buf := make([]byte, int64(m.width)*m.bytes)
	v := make([]float32, m.width)
	for _, key := range keys {
		if _, err := io.ReadFull(r, buf); err != nil {
			return nil, fmt.Errorf("%s: %w: %w", path, err, ErrEmbeddings)
		}
		if info.Data != "" {
			sum.Write(buf)
		}
		for i := range v {
			v[i] = m.decode(buf[int64(i)*m.bytes:])
		}
		ok, err := e.put(key, v, raw, info.Normalized)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", path, err, ErrEmbeddings)
		}
		if !ok {
			e.Skips = append(e.Skips, Skip{key, zeroEmbedding, "a vector of zeros"})
		}
	}
	if info.Data != "" && info.Data != sum.String() {
		return nil, fmt.Errorf("%s: the values are other ones (%s) than were written (%s): %w", path, sum, info.Data, ErrEmbeddings)
	}
	return e, nil
}

// put appends v: with its length, with its length made 1, or, where the file says that it is 1
// already, as it is, so that what was saved is read back bit by bit.
func (e *Embeddings) put(key string, v []float32, raw, unit bool) (bool, error) {
	if !raw && !unit {
		return e.add(key, v)
	}
	sum := 0.0
	for i, x := range v {
		f := float64(x)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return false, fmt.Errorf("%s: embedding value %d is %v", key, i, f)
		}
		sum += float64(f * f)
	}
	if sum == 0 {
		return false, nil
	}
	if unit && math.Abs(sum-1) > 1e-3 {
		return false, fmt.Errorf("%s: length %g, the file says that every length is 1", key, math.Sqrt(sum))
	}
	e.Keys, e.Data = append(e.Keys, key), append(e.Data, v...)
	return true, nil
}

// sibling returns the path of a file beside another, with another end to its name.
func sibling(path, end string) string { return strings.TrimSuffix(path, filepath.Ext(path)) + end }

// readKeysBeside reads the keys of an embeddings file, from the file named or one beside it.
func readKeysBeside(path, named string) ([]string, error) {
	if named != "" {
		return readKeys(named)
	}
	candidates := []string{sibling(path, ".keys.txt"), sibling(path, "_index.txt")}
	for _, kind := range []string{"_float32", "_float64"} {
		if stem, ok := strings.CutSuffix(sibling(path, ""), kind); ok {
			candidates = append(candidates, stem+"_index.txt")
		}
	}
	for _, c := range candidates {
		keys, err := readKeys(c)
		if !errors.Is(err, fs.ErrNotExist) {
			return keys, err
		}
	}
	return nil, fmt.Errorf("%s: no keys beside it; want %s, one key a line in the order of the vectors: %w", path, candidates[0], ErrEmbeddings)
}

// readKeys reads one key a line; LF or CRLF, and the last line may lack its end.
func readKeys(path string) ([]string, error) {
	f, _, err := capped.Open(path, maxKeysFile, ErrEmbeddings)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	keys, err := parseKeys(io.LimitReader(f, maxKeysFile))
	if err != nil {
		return nil, fmt.Errorf("%s:%w: %w", path, err, ErrEmbeddings)
	}
	return keys, nil
}

func parseKeys(r io.Reader) (keys []string, err error) {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 4096), maxKey+8)
	for s.Scan() {
		b := s.Bytes()
		if len(keys) == 0 {
			b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
		}
		key := string(bytes.TrimSuffix(b, []byte("\r")))
		if err := checkKey(key); err != nil {
			return nil, fmt.Errorf("%d: %w", len(keys)+1, err)
		}
		if len(keys) == maxEmbeddings {
			return nil, fmt.Errorf("%d: more than %d keys", len(keys)+1, maxEmbeddings)
		}
		keys = append(keys, key)
	}
	if s.Err() != nil {
		return nil, fmt.Errorf("%d: %w", len(keys)+1, s.Err())
	}
	return keys, nil
}

// checkKey accepts what fits on a line of its own.
func checkKey(key string) error {
	switch {
	case key == "":
		return errors.New("an empty key")
	case len(key) > maxKey:
		return fmt.Errorf("a key of %d bytes, at most %d are read", len(key), maxKey)
	case !utf8.ValidString(key) || strings.ContainsAny(key, "\x00\r\n"):
		return fmt.Errorf("key %.60q is no line of UTF-8 text", key)
	}
	return nil
}

// checkKeys refuses a key that comes twice; the numbers are those of the rows, from 1.
func checkKeys(keys []string) error {
	row := make(map[string]int, len(keys))
	for i, key := range keys {
		if err := checkKey(key); err != nil {
			return fmt.Errorf("vector %d: %w", i+1, err)
		}
		if first, ok := row[key]; ok {
			return fmt.Errorf("vectors %d and %d have the same key %s", first+1, i+1, key)
		}
		row[key] = i
	}
	return nil
}

func keysDigest(keys []string) string {
	h := digest.New()
	for _, k := range keys {
		h.Write([]byte(k + "\n"))
	}
	return h.String()
}

var errForeign = errors.New("no file of ours")

// readSidecar reads the JSON beside an .npy. A missing one says nothing, and so does one that
// somebody else wrote for purposes of their own.
func readSidecar(path string) (embeddingsInfo, error) {
	var x embeddingsInfo
	b, err := capped.Read(path, maxSidecar, errForeign)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errForeign) {
		return x, nil
	}
	if err != nil {
		return x, err
	}
	if json.Unmarshal(b, &x) != nil || x.Format != embeddingsFormat {
		return embeddingsInfo{}, nil
	}
	return x, nil
}
