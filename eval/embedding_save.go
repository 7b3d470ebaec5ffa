package eval

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/safetensors"
)

// Save writes the embeddings as [OpenEmbeddings] reads them: NAME.npy with NAME.keys.txt and
// NAME.json, or NAME.safetensors. Equal embeddings give equal bytes.
//
// Of an .npy the values come last, so that a half-written set is noticed: its JSON holds their
// digest.
func (e *Embeddings) Save(path string) error {
	if len(e.Keys) == 0 || len(e.Data) != len(e.Keys)*e.Width {
		return fmt.Errorf("%s: %d values for %d keys of width %d: %w", path, len(e.Data), len(e.Keys), e.Width, ErrEmbeddings)
	}
	if err := checkKeys(e.Keys); err != nil {
		return fmt.Errorf("%s: %w: %w", path, err, ErrEmbeddings)
	}
	switch filepath.Ext(path) {
	case ".npy":
		return e.saveNPY(path)
	case ".safetensors":
		return e.saveTensor(path)
	}
	return fmt.Errorf("%s: want a name that ends in .npy or .safetensors: %w", path, ErrEmbeddings)
}

func (e *Embeddings) info() (embeddingsInfo, error) {
	sum := digest.New()
	if err := writeFloats(sum, e.Data); err != nil {
		return embeddingsInfo{}, err
	}
	return embeddingsInfo{embeddingsFormat, !e.Raw, sum.String(), keysDigest(e.Keys), e.Origin}, nil
}

func (e *Embeddings) saveNPY(path string) error {
	info, err := e.info()
	if err != nil {
		return err
	}
	err = atomicfile.Write(sibling(path, ".keys.txt"), func(w io.Writer) error {
		b := bufio.NewWriter(w)
		for _, k := range e.Keys {
			b.WriteString(k)
			b.WriteByte('\n')
		}
		return b.Flush()
	})
	if err != nil {
		return err
	}
	if err := writeJSON(sibling(path, ".json"), info); err != nil {
		return err
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		if _, err := w.Write(npyHeader(len(e.Keys), e.Width)); err != nil {
			return err
		}
		return writeFloats(w, e.Data)
	})
}

// writeFloats writes float32 values, little endian.
func writeFloats(w io.Writer, v []float32) error {
	buf := make([]byte, 0, 1<<16)
	for _, x := range v {
		buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(x))
		if len(buf) == cap(buf) {
			if _, err := w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	_, err := w.Write(buf)
	return err
}

// saveTensor writes the tensors key_offsets, embedding and key, in this order so that all are
// aligned, and the metadata as texts.
func (e *Embeddings) saveTensor(path string) error {
	info, err := e.info()
	if err != nil {
		return err
	}
	meta, err := info.texts()
	if err != nil {
		return err
	}
	keys := strings.Join(e.Keys, "")
	n := int64(len(e.Keys))
	_, head, err := safetensors.NewHeader([]safetensors.Tensor{
		{Name: "key_offsets", DType: safetensors.I64, Shape: []int64{n + 1}},
		{Name: "embedding", DType: safetensors.F32, Shape: []int64{n, int64(e.Width)}},
		{Name: "key", DType: safetensors.U8, Shape: []int64{int64(len(keys))}},
	}, meta)
	if err != nil {
		return err
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		b := bufio.NewWriter(w)
		b.Write(head)
		var offset [8]byte
		at := 0
		for i := range n + 1 {
			binary.LittleEndian.PutUint64(offset[:], uint64(at))
			b.Write(offset[:])
			if i < n {
				at += len(e.Keys[i])
			}
		}
		if err := writeFloats(b, e.Data); err != nil {
			return err
		}
		b.WriteString(keys)
		return b.Flush()
	})
}

// texts returns the info as safetensors' metadata, where every value is a text.
func (x embeddingsInfo) texts() (map[string]string, error) {
	b, err := json.Marshal(x)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	if err := json.Unmarshal(b, &fields); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for k, v := range fields {
		out[k] = fmt.Sprint(v)
	}
	return out, nil
}

// infoOf is the reverse of texts; metadata that another program wrote says nothing.
func infoOf(meta map[string]string) embeddingsInfo {
	if meta["format"] != embeddingsFormat {
		return embeddingsInfo{}
	}
	fields := map[string]any{}
	for k, v := range meta {
		fields[k] = v
		if k == "normalized" || k == "flip_sum" {
			fields[k] = v == "true"
		}
	}
	var x embeddingsInfo
	b, err := json.Marshal(fields)
	if err != nil || json.Unmarshal(b, &x) != nil {
		return embeddingsInfo{}
	}
	return x
}

// readTensor reads a safetensors file.
func readTensor(path string, f io.ReaderAt, size int64, o EmbeddingsOptions) (*Embeddings, error) {
	h, err := safetensors.ReadHeader(f, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, err, ErrEmbeddings)
	}
	t, m, err := tensorMatrix(path, h)
	if err != nil {
		return nil, err
	}
	keys, err := tensorKeysOr(path, f, h, m.rows, o.Keys)
	if err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(io.NewSectionReader(f, h.DataStart+t.Offset, t.Size), 1<<16)
	return m.read(path, r, keys, infoOf(h.Metadata), o.Raw)
}

// tensorMatrix finds the embeddings in a safetensors file.
func tensorMatrix(path string, h *safetensors.Header) (t safetensors.Tensor, m matrix, err error) {
	t, ok := h.Lookup("embedding")
	if !ok {
		var names []string
		for _, t := range h.Tensors[:min(len(h.Tensors), 10)] {
			names = append(names, t.Name)
		}
		return t, m, fmt.Errorf("%s: tensors %.200q, want one named embedding: %w", path, names, ErrEmbeddings)
	}
	descr := map[safetensors.DType]string{safetensors.F32: "<f4", safetensors.F64: "<f8"}[t.DType]
	if descr == "" {
		descr = string(t.DType)
	}
	m, err = newMatrix(path, descr, t.Shape, t.Size)
	return t, m, err
}

// tensorKeysOr reads n keys from the file's tensors or, where it has none or another file is named, from
// a file of keys.
func tensorKeysOr(path string, f io.ReaderAt, h *safetensors.Header, n int, named string) ([]string, error) {
	if _, ok := h.Lookup("key"); !ok || named != "" {
		return readKeysBeside(path, named)
	}
	keys, err := tensorKeys(f, h, n)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, err, ErrEmbeddings)
	}
	return keys, nil
}

// tensorKeys reads n keys from the tensors key and key_offsets.
func tensorKeys(f io.ReaderAt, h *safetensors.Header, n int) ([]string, error) {
	key, _ := h.Lookup("key")
	offsets, ok := h.Lookup("key_offsets")
	if key.DType != safetensors.U8 || key.Size > maxKeysFile {
		return nil, fmt.Errorf("tensor key: %d elements of %s, want U8, at most %d", key.Size, key.DType, int64(maxKeysFile))
	}
	if !ok || offsets.DType != safetensors.I64 || offsets.Size != 8*int64(n+1) {
		return nil, fmt.Errorf("tensor key_offsets is missing or not I64 [%d]", n+1)
	}
	text, at := make([]byte, key.Size), make([]byte, offsets.Size)
	for _, part := range []struct {
		to     []byte
		tensor safetensors.Tensor
	}{{text, key}, {at, offsets}} {
		if _, err := f.ReadAt(part.to, h.DataStart+part.tensor.Offset); err != nil && len(part.to) > 0 {
			return nil, fmt.Errorf("tensor %s: %w", part.tensor.Name, err)
		}
	}
	keys := make([]string, n)
	last := binary.LittleEndian.Uint64(at)
	for i := range keys {
		end := binary.LittleEndian.Uint64(at[8*(i+1):])
		if end < last || end > uint64(len(text)) {
			return nil, fmt.Errorf("tensor key_offsets: entry %d, %d, is out of range", i+1, end)
		}
		keys[i] = string(text[last:end])
		last = end
	}
	return keys, nil
}
