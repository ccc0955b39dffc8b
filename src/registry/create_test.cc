#include "registry/create.h"

#include "base/json.h"
#include "container/tensor_file.h"
#include "registry/describe.h"
#include "registry/resolve.h"
#include "registry/test_store.h"

namespace hearth {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kRecipe =
    "FROM ./tiny.gguf\n"
    "PARAMETER temperature 0\n"
    "PARAMETER stop END\n"
    "SYSTEM You are brief.\n"
    "TEMPLATE \"\"\"{{ .System }} {{ .Prompt }}\"\"\"\n"
    "MESSAGE user Hello\n"
    "LICENSE none\n";

TEST(Create, FromAGgufFile) {
  TemporaryStore temp;
  auto created = create(temp.store(), "mine", kRecipe);
  ASSERT_TRUE(created) << created.error().message;
  ResolvedModel model = resolve_model(temp.store(), "mine").value();
  EXPECT_EQ(model.display_name, "mine:latest");
  EXPECT_EQ(model.digest, created->digest);
  EXPECT_EQ(sha256_file(model.path).value(), sha256_file(test_data("tiny.gguf")).value());
  EXPECT_EQ(model.template_text, "{{ .System }} {{ .Prompt }}");
  EXPECT_EQ(model.language, TemplateLanguage::kGo);
  EXPECT_EQ(model.system, "You are brief.");
  EXPECT_EQ(model.params.dump(), R"({"temperature": 0.0, "stop": ["END"]})");
  ASSERT_EQ(model.messages.size(), 1u);
  EXPECT_EQ(model.messages[0].content, "Hello");
  EXPECT_EQ(model.licenses, std::vector<std::string>{"none"});
  // The config blob, as Ollama's clients read it.
  StoredModel stored = temp.store().read(name_of("mine")).value();
  Json config = Json::parse(temp.store().read_text(stored.manifest.config.digest).value()).value();
  EXPECT_EQ(config["model_format"].as_string(), "gguf");
  EXPECT_EQ(config["model_family"].as_string(), "llama");
  EXPECT_EQ(config["file_type"].as_string(), "Q8_0");
  EXPECT_EQ(config["context_length"].as_int(), 128);
  EXPECT_TRUE(temp.store().verify(false)->problems.empty());
}

TEST(Create, FromAModelOfTheStore) {
  TemporaryStore temp;
  ASSERT_TRUE(create(temp.store(), "base", kRecipe));
  auto child = create(temp.store(), "child:v2",
                      "FROM BASE\nSYSTEM Be long.\nPARAMETER seed 7\nPARAMETER stop X\n"
                      "TEMPLATE {% if x %}{% endif %}\nLICENSE more\n");
  ASSERT_TRUE(child) << child.error().message;
  ResolvedModel model = resolve_model(temp.store(), "child:v2").value();
  EXPECT_EQ(model.path, resolve_model(temp.store(), "base")->path);
  EXPECT_EQ(model.system, "Be long.");
  EXPECT_EQ(model.language, TemplateLanguage::kJinja);
  EXPECT_EQ(model.params.dump(), R"({"temperature": 0.0, "stop": ["X"], "seed": 7})");
  EXPECT_EQ(model.messages.size(), 1u);
  EXPECT_EQ(model.licenses, (std::vector<std::string>{"none", "more"}));
  EXPECT_EQ(create(temp.store(), "x", "FROM nothing\n").error().code, Code::kNotFound);
}

TEST(Create, FromABlobOfTheStore) {
  TemporaryStore temp;
  Layer layer =
      temp.store().begin_write()->put_file(media::kModel, test_data("tiny.gguf")).value();
  ASSERT_TRUE(create(temp.store(), "b", "FROM " + layer.digest.text() + "\n"));
  EXPECT_EQ(resolve_model(temp.store(), "b")->path, temp.store().blob_path(layer.digest));
  EXPECT_EQ(create(temp.store(), "c", "FROM sha256:" + std::string(64, '1') + "\n").error().code,
            Code::kNotFound);
  Layer text = temp.store().begin_write()->put_text(media::kModel, "no GGUF").value();
  EXPECT_FALSE(create(temp.store(), "c", "FROM " + text.digest.text() + "\n"));
  EXPECT_EQ(temp.store().list()->size(), 1u);
}

TEST(Create, FromASafetensorsFolder) {
  TemporaryStore temp;
  ASSERT_TRUE(create(temp.store(), "f", "FROM ./folder\n"));
  ResolvedModel model = resolve_model(temp.store(), "f").value();
  auto file = TensorFile::open(model.path);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_NE(file->find("model.norm.weight"), nullptr);
  for (std::string_view name : {"config.json", "tokenizer.json", "tokenizer_config.json"})
    EXPECT_EQ(read_file(fs::path(model.path) / name, 1 << 20).value(),
              read_file(test_data("folder") / name, 1 << 20).value());
  // A view that was lost, or whose store moved, is made again; removing the model removes it.
  fs::remove(fs::path(model.path) / "config.json");
  EXPECT_EQ(resolve_model(temp.store(), "f")->path, model.path);
  EXPECT_TRUE(fs::exists(fs::path(model.path) / "config.json"));
  fs::rename(temp.root() / "home", temp.root() / "moved");
  Store moved(temp.root() / "moved" / "models");
  EXPECT_TRUE(TensorFile::open(resolve_model(moved, "f")->path));
  ASSERT_TRUE(moved.remove({name_of("f")}));
  EXPECT_TRUE(fs::is_empty(moved.folder() / "views"));
  EXPECT_TRUE(fs::is_empty(moved.folder() / "blobs"));
}

TEST(Create, DamagedWeightsMakeNoModel) {
  TemporaryStore temp;
  std::string whole = read_file(test_data("tiny.gguf"), 1 << 20).value();
  for (size_t size : {size_t{0}, size_t{3}, size_t{4}, size_t{24}, whole.size() / 2,
                      whole.size() - 100}) {
    write_text(temp.root() / "cut.gguf", std::string_view(whole).substr(0, size));
    auto created = create(temp.store(), "cut", "FROM " + (temp.root() / "cut.gguf").string());
    EXPECT_FALSE(created) << size << " bytes";
  }
  EXPECT_TRUE(temp.store().list()->empty());
  for (std::string_view from : {"/dev/zero", "/dev/stdin", "./none.gguf", "./folder/config.json",
                                "/", "../../etc/passwd", "sha256:../../etc/passwd"})
    EXPECT_FALSE(create(temp.store(), "x", "FROM " + std::string(from) + "\n")) << from;
}

TEST(Create, ErrorsNameTheLine) {
  TemporaryStore temp;
  auto created = create(temp.store(), "x", "# one\nFROM ./none.gguf\n");
  EXPECT_EQ(created.error().message, "line 2: FROM ./none.gguf: there is no such file");
  created = create(temp.store(), "x", "FROM ./tiny.gguf\nFROM ./tiny.gguf\n");
  EXPECT_EQ(created.error().code, Code::kUnsupported);
  EXPECT_TRUE(created.error().message.starts_with("line 2: a second FROM"));
  created = create(temp.store(), "x", "FROM ./tiny.gguf\nADAPTER ./folder\n");
  EXPECT_EQ(created.error().code, Code::kUnsupported);
}

TEST(Create, ModelfileOfAModelMakesItAgain) {
  TemporaryStore temp;
  ASSERT_TRUE(create(temp.store(), "one", kRecipe));
  std::string text = modelfile_of(resolve_model(temp.store(), "one").value()).value();
  ASSERT_TRUE(create(temp.store(), "two", text));
  EXPECT_EQ(temp.store().read(name_of("one"))->digest, temp.store().read(name_of("two"))->digest);
}

TEST(Create, ReplacingAModelFreesWhatItHad) {
  TemporaryStore temp;
  ASSERT_TRUE(create(temp.store(), "m", "FROM ./tiny.gguf\nSYSTEM first\n"));
  Digest first = temp.store().read(name_of("m"))->manifest.find(media::kSystem)->digest;
  age(temp.store().blob_path(first), std::chrono::hours(2));
  ASSERT_TRUE(create(temp.store(), "m", "FROM ./tiny.gguf\nSYSTEM second\n"));
  EXPECT_FALSE(temp.store().has_blob(first));
}

TEST(Resolve, PathsAndNames) {
  TemporaryStore temp;
  std::string path = test_data("tiny.gguf").string();
  ResolvedModel model = resolve_model(temp.store(), path).value();
  EXPECT_EQ(model.path, path);
  EXPECT_EQ(model.language, TemplateLanguage::kNone);
  EXPECT_EQ(resolve_model(temp.store(), test_data("folder").string())->path, test_data("folder"));
  EXPECT_EQ(resolve_model(temp.store(), "").error().code, Code::kUsage);
  for (std::string_view bad : {"none", "./none", "/none.gguf", "/dev/null", "a/../b", "x y"})
    EXPECT_FALSE(resolve_model(temp.store(), bad)) << bad;
}

// What the gguf package wrote into the file.
TEST(Describe, Gguf) {
  ModelFacts facts = describe_model(test_data("tiny.gguf").string()).value();
  EXPECT_EQ(facts.architecture, "llama");
  EXPECT_EQ(facts.name, "Tiny");
  EXPECT_EQ(facts.license, "apache-2.0");
  EXPECT_EQ(facts.quantization, "Q8_0");
  EXPECT_EQ(facts.parameters, 8u * 32 + 32 * 32 + 32);
  EXPECT_EQ(facts.context_length, 128u);
  EXPECT_EQ(facts.embedding_length, 32u);
  EXPECT_EQ(facts.vocabulary, 8u);
  ASSERT_EQ(facts.types.size(), 2u);
  EXPECT_EQ(facts.types[0].type, "Q8_0");
  EXPECT_EQ(facts.types[0].bytes, (8u + 32) * 34);
  Json tokenizer = describe_tokenizer(test_data("tiny.gguf").string()).value();
  EXPECT_EQ(tokenizer["eos"].dump(), R"({"id": 1, "text": "</s>"})");
  EXPECT_EQ(tokenizer["tokens"].as_int(), 8);
}

TEST(Describe, Folder) {
  ModelFacts facts = describe_model(test_data("folder").string()).value();
  EXPECT_EQ(facts.format, "safetensors");
  EXPECT_EQ(facts.quantization, "F16");
  EXPECT_EQ(facts.parameters, 8u * 16 + 16);
  EXPECT_EQ(facts.context_length, 64u);
  EXPECT_TRUE(facts.chat_template.starts_with("{% for m"));
}

}  // namespace
}  // namespace hearth
