// Parsers with the n-th allocation failing, n = 1, 2, 3, ... until it succeeds: an error, no
// crash, nothing left behind. A program of its own, because operator new is replaced.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "base/out_of_memory.h"
#include "cli/args.h"
#include "cli/command.h"
#include "container/tensor_file.h"
#include "failing_new.h"
#include "model/chat.h"
#include "model/model.h"
#include "registry/manifest.h"
#include "registry/modelfile.h"
#include "registry/parameters.h"
#include "samples.h"
#include "template/go/go_template.h"
#include "tokenizer/sentencepiece_file.h"
#include "tokenizer/test_support.h"

namespace hearth {
namespace {

// `parse` gives a Result; what it reads lives outside. The first 150 failures one by one, then in
// steps of a fiftieth, so that thousands of allocations stay a matter of seconds.
template <class Parse>
void fail_everywhere(std::string_view what, Parse&& parse) {
  SCOPED_TRACE(what);
  {
    auto good = parse();  // fills caches and tables that are made on first use
    ASSERT_TRUE(good.has_value()) << good.error().message;
  }
  for (bool all_after : {false, true}) {
    uint64_t tried = 0, n = 1;
    for (;; n += n < 150 ? 1 : n / 50 + 1) {
      int64_t before = live_allocations();
      {
        arm_failure(n, all_after);
        auto out = parse();
        bool failed = disarm_failure();
        if (!failed) {
          ASSERT_TRUE(out.has_value()) << out.error().message;
          break;
        }
        ASSERT_FALSE(out.has_value()) << "allocation " << n << " failed and nobody noticed";
        ASSERT_EQ(out.error().code, Code::kOutOfMemory) << n << ": " << out.error().message;
      }
      ASSERT_EQ(live_allocations(), before) << "left behind after allocation " << n;
      ++tried;
    }
    fmt::print("{}: {} of about {} allocations failed{}\n", what, tried, n,
               all_after ? " with all that follow" : "");
    EXPECT_GT(tried, 2u);
  }
}

std::string fixture(std::string_view name) {
  auto text = read_file(fmt::format("{}/{}", HEARTH_TEST_DATA, name), 1 << 20);
  EXPECT_TRUE(text.has_value()) << name;
  return text.value_or("");
}

TEST(MemoryFailure, Gguf) {
  for (const std::string& bytes : {sample_gguf(64), sample_gguf_of_all_types()}) {
    auto source = source_of_text(bytes);
    fail_everywhere("GGUF", [&] { return TensorFile::open_gguf(source); });
  }
  std::string folder = HEARTH_TEST_DATA "/container/";
  for (const char* name : {"everything.gguf", "split-00001-of-00003.gguf", "shards"})
    fail_everywhere(name, [path = folder + name] { return TensorFile::open(path); });
}

TEST(MemoryFailure, Safetensors) {
  auto source = source_of_text(sample_safetensors());
  fail_everywhere("safetensors", [&] { return TensorFile::open_safetensors(source); });
}

TEST(MemoryFailure, ModelsOfGguf) {
  auto file = TensorFile::open_gguf(source_of_text(sample_model(64).bytes()));
  ASSERT_TRUE(file) << file.error().message;
  fail_everywhere("a model of GGUF", [&] {
    return catching_bad_alloc([&] { return Model::load(*file, ""); });  // the copy is the caller's
  });
}

TEST(MemoryFailure, VocabulariesOfGguf) {
  for (const ModelParts& parts : sample_models_of_all_vocabularies()) {
    auto kind = parts.metadata.text("tokenizer.ggml.model").value();
    fail_everywhere(kind, [&] { return Tokenizer::from_gguf(parts.metadata); });
  }
}

TEST(MemoryFailure, TokenizerJson) {
  for (const char* name : {"llama2", "llama3", "metaspace", "steps", "spm_unigram"}) {
    Json document = test::read_fixture(name)["tokenizer"];
    fail_everywhere(name, [&] { return Tokenizer::from_hugging_face(document, Json()); });
  }
  Json models = test::read_fixture("json_models");
  for (const Json& entry : models["tokenizers"].as_array())
    if (entry["tokenizer"].is_object())
      fail_everywhere(entry["name"].as_string(), [&] {
        return Tokenizer::from_hugging_face(entry["tokenizer"], entry["config"]);
      });
}

TEST(MemoryFailure, SentencePieceFiles) {
  Json fixture = test::read_fixture("spm_models");
  for (const Json& entry : fixture["models"].as_array()) {
    std::string bytes = test::from_base64(entry["model"].as_string());
    fail_everywhere(entry["name"].as_string(),
                    [&] { return make_from_sentencepiece(bytes, Json(), Json()); });
  }
}

TEST(MemoryFailure, Folders) {
  std::string folder = HEARTH_TEST_DATA "/models/llama";
  fail_everywhere("a folder's tokenizer", [&] { return Tokenizer::from_folder(folder); });
  fail_everywhere("a folder's model", [&] { return Model::load(folder); });
}

TEST(MemoryFailure, JsonText) {
  std::string text = fixture("models/llama/config.json");
  fail_everywhere("JSON", [&] { return Json::parse(text); });
  std::string deep = std::string(300, '[') + R"({"a": "a text that is long", "b": [1, 2.5]})" +
                     std::string(300, ']');
  fail_everywhere("deep JSON", [&] { return Json::parse(deep); });
}

TEST(MemoryFailure, Modelfiles) {
  std::string text =
      "FROM ./a-model-with-a-long-name.gguf\nPARAMETER temperature 0.25\nPARAMETER stop \"User:\"\n"
      "PARAMETER stop <|im_end|>\nSYSTEM \"\"\"You are\nvery brief indeed.\"\"\"\n"
      "MESSAGE user Hello there, how are you?\nLICENSE a license of many words\n"
      "TEMPLATE \"\"\"{{ .Prompt }}\n\"\"\"\n";
  fail_everywhere("Modelfile", [&] { return Modelfile::parse(text); });
}

constexpr std::string_view kJinja =
    "{% macro say(m, end='') -%}<|{{ m.role }}|>{{ m['content'] | trim | upper }}{{ end }}"
    "{%- endmacro %}{% set ns = namespace(n=0, seen=[]) %}{% for m in messages if m.content %}"
    "{% set ns.n = ns.n + 1 %}{{ say(m, '\\n') }}{% endfor %}{{ messages | tojson }}"
    "{{ '%s: %d' % ('count', ns.n) }}{{ messages[::-1] | map(attribute='role') | join(', ') }}"
    "{{ 2 ** 100 }}{{ 'a b c'.split() | sort | list }}{{ '{:>10}'.format(ns.n) }}";

Json conversation() {
  return *Json::parse(R"({"messages": [{"role": "system", "content": "You are very brief."},
      {"role": "user", "content": "  A question that is long enough to need memory?  "}],
      "bos_token": "<s>", "add_generation_prompt": true})");
}

TEST(MemoryFailure, Jinja) {
  fail_everywhere("Jinja, compiling", [&] { return Template::compile(kJinja); });
  auto compiled = Template::compile(kJinja);
  ASSERT_TRUE(compiled);
  Json context = conversation();
  fail_everywhere("Jinja, rendering", [&] { return compiled->render(context); });
}

TEST(MemoryFailure, GoTemplates) {
  std::string_view source =
      "{{- range $i, $m := .Messages }}{{ if eq .Role \"user\" }}<|user|>{{ .Content }}{{ else }}"
      "<|{{ .Role }}|>{{ printf \"%s, %d\" .Content $i }}{{ end }}{{ end }}{{ json .Messages }}"
      "{{ define \"x\" }}{{ len . }}{{ end }}{{ template \"x\" .Messages }}";
  fail_everywhere("Go template, compiling", [&] { return GoTemplate::compile(source); });
  auto compiled = GoTemplate::compile(source);
  ASSERT_TRUE(compiled) << compiled.error().message;
  Json context = *Json::parse(R"({"Messages": [
      {"Role": "system", "Content": "You are very brief."},
      {"Role": "user", "Content": "A question that is long enough to need memory?"}]})");
  fail_everywhere("Go template, rendering", [&] { return compiled->render(context); });
}

TEST(MemoryFailure, Manifests) {
  std::string digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
  std::string text = fmt::format(
      R"({{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
          "config": {{"mediaType": "application/vnd.docker.container.image.v1+json", "size": 2,
                      "digest": "{0}"}},
          "layers": [{{"mediaType": "application/vnd.ollama.image.model", "size": 2,
                       "digest": "{0}", "from": "/models/a-model-with-a-long-name.gguf"}}]}})",
      digest);
  fail_everywhere("manifest", [&] { return Manifest::parse(text); });
  Json params = *Json::parse(R"({"temperature": 0.5, "stop": ["User: and more", "<|im_end|>"]})");
  fail_everywhere("parameters", [&] { return parameters_from_json(params); });
}

constexpr OptionRow kRows[] = {
    {.name = "stop", .many = true},
    {.name = "ctx", .type = OptionType::kInt, .fallback = "512", .min = 2, .max = 1 << 24},
    {.name = "precision", .type = OptionType::kChoice, .fallback = "high",
     .choices = "exact|high"}};
constexpr Positional kPositionals[] = {{"MODEL", Positional::Count::kRequired, ""},
                                       {"PROMPT", Positional::Count::kAny, ""}};

// The command line is read in main(), which catches; nothing else of the process lives then.
TEST(MemoryFailure, CommandOptions) {
  Command command{.name = "run", .positionals = kPositionals, .options = kRows};
  std::vector<std::string> words = {"smollm2", "--ctx", "1024", "--stop=a stop that is quite long",
                                    "--precision", "exact", "a question that is quite long"};
  fail_everywhere("options", [&] {
    return catching_bad_alloc([&] { return parse_args(command, words); });
  });
}

}  // namespace
}  // namespace hearth
