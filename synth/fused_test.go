package synth

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
	"testing"
)

// A product of floats that is added to something may be fused into one rounding on some CPUs.
// So every product must be rounded on the spot: as the argument of float64(), as a factor or
// dividend of a larger product, or as an argument of mul, which rounds.
func TestNoFusedProducts(t *testing.T) {
	fset := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	// Imports are left out, which saves seconds; what has no type then is taken for a float.
	conf := types.Config{Importer: nothing{}, Error: func(error) {}}
	conf.Check("synth", fset, files, info)
	isFloat := func(e ast.Expr) bool {
		tv := info.Types[e]
		if tv.Type == nil || tv.Type == types.Typ[types.Invalid] {
			return true
		}
		if tv.Value != nil {
			return false
		}
		b, ok := tv.Type.Underlying().(*types.Basic)
		return ok && b.Info()&types.IsFloat != 0
	}
	checked := 0
	for _, f := range files {
		var stack []ast.Node
		ast.Inspect(f, func(n ast.Node) bool {
			if n == nil {
				stack = stack[:len(stack)-1]
				return true
			}
			stack = append(stack, n)
			if a, ok := n.(*ast.AssignStmt); ok && a.Tok == token.MUL_ASSIGN && isFloat(a.Lhs[0]) {
				t.Errorf("%s: *= is not rounded", fset.Position(n.Pos()))
			}
			b, ok := n.(*ast.BinaryExpr)
			if !ok || b.Op != token.MUL || !isFloat(b) {
				return true
			}
			checked++
			i := len(stack) - 2
			for ; i >= 0; i-- {
				if _, paren := stack[i].(*ast.ParenExpr); !paren {
					break
				}
			}
			switch up := stack[i].(type) {
			case *ast.BinaryExpr:
				if up.Op == token.MUL || up.Op == token.QUO {
					return true
				}
			case *ast.CallExpr:
				if name, ok := up.Fun.(*ast.Ident); ok && (name.Name == "float64" || name.Name == "mul") {
					return true
				}
			}
			t.Errorf("%s: the product is not rounded by float64()", fset.Position(n.Pos()))
			return true
		})
	}
	if checked < 100 {
		t.Fatalf("found %d products of floats, which can't be all", checked)
	}
}

// nothing stands for the packages that are imported.
type nothing struct{}

func (nothing) Import(path string) (*types.Package, error) {
	source := map[string]string{
		"math": `package math
const (Pi = 3.14; Ln2 = 0.69; MinInt32 = -1 << 31)
func Sqrt(float64) float64
func Floor(float64) float64
func Ceil(float64) float64
func Abs(float64) float64
func Inf(int) float64
func Copysign(x, y float64) float64
func Ldexp(float64, int) float64`,
		"image": `package image
type RGBA struct { Pix []uint8; Stride int }`,
	}[path]
	if source == "" {
		return nil, errors.New("left out")
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path+".go", source, 0)
	if err != nil {
		return nil, err
	}
	conf := types.Config{IgnoreFuncBodies: true}
	return conf.Check(path, fset, []*ast.File{f}, nil)
}
