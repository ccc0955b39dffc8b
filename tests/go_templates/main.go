// What Ollama's own template package, and Go's text/template, make of templates: the reference
// that Hearth's are compared with.
//
//	go run . fixtures FOLDER   writes FOLDER/expected.json from its templates, conversations.json
//	                           and language.json (tests/data/template/go)
//	go run . serve             answers requests, one JSON object a line
//
// A request: {"kind": "ollama", "template": TEXT, "data": CONVERSATION}, or the kind "plain" with
// any data for the language alone. The answer: {"text": TEXT}, or {"error": MESSAGE} with "parse"
// set where the template itself was refused; for the kind "ollama" also names and tags.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	gotemplate "text/template"
	"time"

	"github.com/ollama/ollama/api"
	"github.com/ollama/ollama/template"
	"github.com/ollama/ollama/thinking"
)

type request struct {
	Kind     string          `json:"kind"`
	Template string          `json:"template"`
	Data     json.RawMessage `json:"data"`
}

type answer struct {
	Text  *string  `json:"text,omitempty"`
	Error string   `json:"error,omitempty"`
	Parse bool     `json:"parse,omitempty"`
	Names []string `json:"names,omitempty"`
	Open  string   `json:"open,omitempty"`
	Close string   `json:"close,omitempty"`
}

type conversation struct {
	Messages []api.Message   `json:"messages"`
	Tools    api.Tools       `json:"tools"`
	Prompt   string          `json:"prompt"`
	Suffix   string          `json:"suffix"`
	Think    *api.ThinkValue `json:"think"`
}

func failed(err error, parse bool) answer {
	return answer{Error: err.Error(), Parse: parse}
}

// Where a chat has images, Ollama's server puts their marks into the content before the template
// sees it.
func markImages(messages []api.Message) {
	id := 0
	for i := range messages {
		front, content := "", messages[i].Content
		for range messages[i].Images {
			mark := fmt.Sprintf("[img-%d]", id)
			id++
			if strings.Contains(content, "[img]") {
				content = strings.Replace(content, "[img]", mark, 1)
			} else {
				front += mark
			}
		}
		messages[i].Content = front + content
	}
}

func values(c conversation) template.Values {
	markImages(c.Messages)
	v := template.Values{Messages: c.Messages, Tools: c.Tools, Prompt: c.Prompt, Suffix: c.Suffix}
	if c.Think != nil {
		v.Think, v.ThinkLevel, v.IsThinkSet = c.Think.Bool(), c.Think.String(), true
	}
	return v
}

func ollama(text string, data []byte) (out answer) {
	defer func() {
		if r := recover(); r != nil {
			out = answer{Error: fmt.Sprint("panic: ", r)}
		}
	}()
	parsed, err := template.Parse(text)
	if err != nil {
		return failed(err, true)
	}
	var c conversation
	if err := json.Unmarshal(data, &c); err != nil {
		return failed(err, false)
	}
	names, err := parsed.Vars()
	if err != nil {
		return failed(err, true)
	}
	opening, closing := thinking.InferTags(parsed.Template)
	var b bytes.Buffer
	if err := parsed.Execute(&b, values(c)); err != nil {
		return failed(err, false)
	}
	printed := b.String()
	return answer{Text: &printed, Names: names, Open: opening, Close: closing}
}

var functions = gotemplate.FuncMap{
	"json": func(v any) string {
		b, _ := json.Marshal(v)
		return string(b)
	},
	"currentDate":      func(...string) string { return time.Now().Format("2006-01-02") },
	"yesterdayDate":    func(...string) string { return time.Now().AddDate(0, 0, -1).Format("2006-01-02") },
	"toTypeScriptType": func(any) string { return "any" },
}

func plain(text string, data []byte) answer {
	parsed, err := gotemplate.New("").Option("missingkey=zero").Funcs(functions).Parse(text)
	if err != nil {
		return failed(err, true)
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		return failed(err, false)
	}
	var b bytes.Buffer
	if err := parsed.Execute(&b, v); err != nil {
		return failed(err, false)
	}
	printed := b.String()
	return answer{Text: &printed}
}

func reply(r request) answer {
	if r.Kind == "ollama" {
		return ollama(r.Template, r.Data)
	}
	return plain(r.Template, r.Data)
}

func serve() error {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	for in.Scan() {
		var r request
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			return err
		}
		if err := encoder.Encode(reply(r)); err != nil {
			return err
		}
	}
	return in.Err()
}

func readJSON(path string, out any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, out)
}

// {"templates": {NAME: {"names", "open", "close", "texts": {CONVERSATION: TEXT or null}}},
// "language": [[TEMPLATE, DATA, TEXT or null, whether it was refused as a template]]}
func fixtures(folder string) error {
	type expected struct {
		Names []string           `json:"names"`
		Open  string             `json:"open"`
		Close string             `json:"close"`
		Texts map[string]*string `json:"texts"`
	}
	var conversations map[string]json.RawMessage
	if err := readJSON(filepath.Join(folder, "conversations.json"), &conversations); err != nil {
		return err
	}
	paths, err := filepath.Glob(filepath.Join(folder, "*.gotmpl"))
	if err != nil {
		return err
	}
	sort.Strings(paths)
	templates := map[string]expected{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		row := expected{Texts: map[string]*string{}}
		for name, data := range conversations {
			a := reply(request{"ollama", string(text), data})
			if a.Parse {
				return fmt.Errorf("%s: %s", path, a.Error)
			}
			row.Texts[name] = a.Text
			if a.Text != nil {
				row.Names, row.Open, row.Close = a.Names, a.Open, a.Close
			}
		}
		templates[strings.TrimSuffix(filepath.Base(path), ".gotmpl")] = row
	}
	var source struct {
		Data      map[string]json.RawMessage `json:"data"`
		Templates [][2]string                `json:"templates"`
	}
	if err := readJSON(filepath.Join(folder, "language.json"), &source); err != nil {
		return err
	}
	language := [][]any{}
	for _, pair := range source.Templates {
		a := reply(request{"plain", pair[0], source.Data[pair[1]]})
		language = append(language, []any{pair[0], pair[1], a.Text, a.Parse})
	}
	return write(filepath.Join(folder, "expected.json"),
		map[string]any{"templates": templates, "language": language})
}

func write(path string, v any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

func main() {
	err := fmt.Errorf("usage: go run . fixtures FOLDER | go run . serve")
	switch {
	case len(os.Args) == 3 && os.Args[1] == "fixtures":
		err = fixtures(os.Args[2])
	case len(os.Args) == 2 && os.Args[1] == "serve":
		err = serve()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
