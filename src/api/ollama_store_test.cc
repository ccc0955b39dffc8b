#include "api/ollama_store.h"

#include <algorithm>
#include <thread>

#include "registry/resolve.h"
#include "registry/test_store.h"

namespace hearth::api {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kRecipe =
    "FROM ./tiny.gguf\n"
    "PARAMETER temperature 0.7\n"
    "PARAMETER top_k 20\n"
    "PARAMETER stop \"<|end|>\"\n"
    "PARAMETER stop say \"no\"\n"
    "SYSTEM You are brief.\n"
    "TEMPLATE \"\"\"{{ .System }} {{ .Prompt }} {{ .Suffix }}\"\"\"\n"
    "MESSAGE user Hello\n"
    "LICENSE one\n"
    "LICENSE two\n";

Json json(std::string_view text) {
  auto out = Json::parse(text);
  EXPECT_TRUE(out) << text;
  return out.value_or(Json());
}

std::string file_bytes(const fs::path& path) { return read_file(path, 1 << 24).value(); }

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// Uploads as a client does: in pieces.
ApiReply upload(const Store& store, std::string_view digest, std::string_view bytes) {
  auto blob = BlobUpload::begin(store, digest);
  if (!blob) return blob.error();
  for (size_t at = 0; at < bytes.size(); at += 1000)
    if (auto written = blob->write(bytes_of(bytes.substr(at, 1000))); !written)
      return written.error();
  return blob->finish();
}

std::string upload_file(const Store& store, const fs::path& path) {
  std::string bytes = file_bytes(path);
  std::string digest = "sha256:" + sha256_hex(bytes);
  int status = upload(store, digest, bytes).status;
  EXPECT_TRUE(status == 200 || status == 201);
  return digest;
}

size_t blob_files(const TemporaryStore& temp) {
  std::error_code error;
  size_t count = 0;
  for (fs::directory_iterator it(temp.models() / "blobs", error), end; !error && it != end; ++it)
    count++;
  return count;
}

struct Created {
  ApiReply reply;
  std::vector<std::string> lines;
  std::vector<std::string> statuses() const {
    std::vector<std::string> out;
    for (const std::string& line : lines) out.push_back(json(line)["status"].as_string());
    return out;
  }
};

Created create_of(const Store& store, std::string_view body) {
  Created out;
  out.reply = ollama_create(store, json(body), [&](std::string line) {
    EXPECT_EQ(line.find('\n'), std::string::npos);
    out.lines.push_back(std::move(line));
  });
  return out;
}

TEST(OllamaStore, Tags) {
  TemporaryStore temp;
  EXPECT_EQ(ollama_tags(temp.store()).body, R"({"models": []})");
  auto made = create(temp.store(), "Mine:v1", kRecipe);
  ASSERT_TRUE(made);
  ASSERT_TRUE(create(temp.store(), "someone/other", "FROM ./folder\n"));
  age(temp.models() / "manifests/registry.ollama.ai/someone/other/latest",
      std::chrono::hours(1));
  ApiReply reply = ollama_tags(temp.store());
  ASSERT_EQ(reply.status, 200);
  const Json tags = json(reply.body);
  const Json::Array& models = tags["models"].as_array();
  ASSERT_EQ(models.size(), 2u);
  EXPECT_EQ(models[0]["name"].as_string(), "Mine:v1");  // the newest
  EXPECT_EQ(models[0]["model"].as_string(), "Mine:v1");
  EXPECT_EQ(models[0]["digest"].as_string(), made->digest);
  EXPECT_EQ(models[0]["digest"].as_string().size(), 64u);
  EXPECT_EQ(models[0]["size"].as_int(), static_cast<int64_t>(temp.store().read(
      name_of("mine:v1"))->manifest.total_size()));
  EXPECT_EQ(models[0]["details"]["format"].as_string(), "gguf");
  EXPECT_EQ(models[0]["details"]["families"].dump(), R"(["llama"])");
  EXPECT_EQ(models[0]["details"]["quantization_level"].as_string(), "Q8_0");
  EXPECT_TRUE(models[0]["modified_at"].as_string().ends_with("+00:00"));
  EXPECT_EQ(models[1]["name"].as_string(), "someone/other:latest");
  EXPECT_EQ(models[1]["details"]["format"].as_string(), "safetensors");
  // A damaged manifest hides only itself, and a lost config blob only the details.
  write_text(temp.models() / "manifests/registry.ollama.ai/library/bad/latest", "no JSON");
  fs::remove(temp.store().blob_path(temp.store().read(name_of("mine:v1"))->manifest.config.digest));
  const Json rest = json(ollama_tags(temp.store()).body);
  ASSERT_EQ(rest["models"].as_array().size(), 2u);
  EXPECT_EQ(rest["models"].as_array()[0]["details"]["families"].dump(), "[]");
}

TEST(OllamaStore, Show) {
  TemporaryStore temp;
  ASSERT_TRUE(create(temp.store(), "mine", kRecipe));
  ApiReply reply = ollama_show(temp.store(), json(R"({"name": "MINE", "model": ""})"));
  ASSERT_EQ(reply.status, 200) << reply.body;
  Json show = json(reply.body);
  EXPECT_EQ(show["license"].as_string(), "one\ntwo");
  EXPECT_EQ(show["system"].as_string(), "You are brief.");
  EXPECT_EQ(show["template"].as_string(), "{{ .System }} {{ .Prompt }} {{ .Suffix }}");
  // The columns of Ollama's own list: names fill 30, and no newline ends it.
  EXPECT_EQ(show["parameters"].as_string(),
            "temperature                    0.7\n"
            "top_k                          20\n"
            "stop                           \"<|end|>\"\n"
            "stop                           \"say \\\"no\\\"\"");
  EXPECT_EQ(show["messages"].dump(), R"([{"role": "user", "content": "Hello"}])");
  EXPECT_EQ(show["capabilities"].dump(), R"(["completion", "insert"])");
  EXPECT_EQ(show["details"]["family"].as_string(), "llama");
  const Json& info = show["model_info"];
  EXPECT_EQ(info["general.architecture"].as_string(), "llama");
  EXPECT_EQ(info["llama.context_length"].as_int(), 128);
  EXPECT_GT(info["general.parameter_count"].as_int(), 0);
  EXPECT_EQ(info.find("general.name"), nullptr);
  EXPECT_EQ(info.find("tokenizer.chat_template"), nullptr);
  EXPECT_EQ(info["tokenizer.ggml.tokens"].dump(), "[]");
  EXPECT_EQ(show.find("tensors"), nullptr);
  EXPECT_TRUE(show["modelfile"].as_string().starts_with("# Modelfile generated by"));
  // What it prints is a Modelfile that makes the model again.
  EXPECT_EQ(Modelfile::parse(show["modelfile"].as_string())->licenses.size(), 2u);

  Json verbose = json(ollama_show(temp.store(), json(R"({"model": "mine", "verbose": true,
    "system": "Other.", "options": {"seed": 7, "top_k": 1}})")).body);
  EXPECT_GT(verbose["model_info"]["tokenizer.ggml.tokens"].as_array().size(), 5u);
  EXPECT_FALSE(verbose["tensors"].as_array().empty());
  EXPECT_EQ(verbose["system"].as_string(), "Other.");
  EXPECT_NE(verbose["modelfile"].as_string().find("PARAMETER seed 7"), std::string::npos);
  EXPECT_NE(verbose["modelfile"].as_string().find("PARAMETER top_k 1\n"), std::string::npos);
}

TEST(OllamaStore, ShowOfAFolder) {
  TemporaryStore temp;
  ASSERT_TRUE(create(temp.store(), "f", "FROM ./folder\n"));
  Json show = json(ollama_show(temp.store(), json(R"({"model": "f", "verbose": true})")).body);
  std::string architecture = show["model_info"]["general.architecture"].as_string();
  EXPECT_FALSE(architecture.empty());
  EXPECT_TRUE(show["model_info"][architecture + ".context_length"].is_int());
  EXPECT_EQ(show["details"]["format"].as_string(), "safetensors");
  EXPECT_FALSE(show["tensors"].as_array().empty());
  EXPECT_EQ(show["capabilities"].as_array()[0].as_string(), "completion");
}

TEST(OllamaStore, ShowRefuses) {
  TemporaryStore temp;
  ASSERT_TRUE(create(temp.store(), "mine", kRecipe));
  struct Row {
    std::string_view body;
    int status;
    std::string_view error;
  };
  const std::string path = test_data("tiny.gguf").string();
  const std::string with_path = fmt::format(R"({{"model": "{}"}})", path);
  const Row rows[] = {
      {"{}", 400, "model is required"},
      {R"({"model": "", "name": ""})", 400, "model is required"},
      {R"({"model": "nope"})", 404, "model 'nope' not found"},
      {R"({"model": "a b"})", 400, "invalid model name"},
      {R"({"model": "../mine"})", 400, "invalid model name"},
      {with_path, 400, "invalid model name"},  // no path is looked at, although the file is there
      {R"({"model": 5})", 400, "model must be a string"},
  };
  for (const Row& row : rows) {
    ApiReply reply = ollama_show(temp.store(), json(row.body));
    EXPECT_EQ(reply.status, row.status) << row.body;
    EXPECT_TRUE(json(reply.body)["error"].as_string().starts_with(row.error)) << reply.body;
  }
  for (std::string_view body : {R"({"model": "mine", "options": {"top_k": -5}})",
                                R"({"model": "mine", "options": []})"})
    EXPECT_EQ(ollama_show(temp.store(), json(body)).status, 400) << body;
}

TEST(OllamaStore, CopyAndRemove) {
  TemporaryStore temp;
  ASSERT_TRUE(create(temp.store(), "mine", kRecipe));
  auto copy = [&](std::string_view body) { return ollama_copy(temp.store(), json(body)); };
  ApiReply copied = copy(R"({"source": "mine", "destination": "yours:x"})");
  EXPECT_EQ(copied.status, 200);
  EXPECT_EQ(copied.body, "");
  EXPECT_EQ(temp.store().read(name_of("yours:x"))->digest,
            temp.store().read(name_of("mine"))->digest);
  EXPECT_EQ(copy(R"({"source": "no", "destination": "y"})").body,
            R"({"error":"model \"no\" not found"})");
  EXPECT_EQ(copy(R"({"source": "no", "destination": "y"})").status, 404);
  EXPECT_EQ(copy(R"({"source": "a b", "destination": "y"})").body,
            R"({"error":"source \"a b\" is invalid"})");
  EXPECT_EQ(copy(R"({"source": "mine", "destination": "../y"})").body,
            R"({"error":"destination \"../y\" is invalid"})");
  EXPECT_EQ(copy("{}").status, 400);
  EXPECT_EQ(copy("[]").status, 400);

  auto remove = [&](std::string_view body) { return ollama_remove(temp.store(), json(body)); };
  EXPECT_EQ(remove(R"({"name": "nope"})").body, R"({"error":"model 'nope' not found"})");
  EXPECT_EQ(remove(R"({"name": "nope"})").status, 404);
  EXPECT_EQ(remove(R"({"model": "a b"})").status, 400);
  EXPECT_EQ(remove("{}").status, 400);
  EXPECT_EQ(remove(R"({"model": "mine"})").status, 200);
  EXPECT_GT(blob_files(temp), 0u);  // the other model has them
  EXPECT_EQ(remove(R"({"name": "yours:x"})").body, "");
  EXPECT_EQ(blob_files(temp), 0u);
}

TEST(OllamaStore, Blobs) {
  TemporaryStore temp;
  std::string bytes(5000, 'x'), hex = sha256_hex(bytes), digest = "sha256:" + hex;
  EXPECT_EQ(ollama_blob_exists(temp.store(), digest).status, 404);
  EXPECT_EQ(upload(temp.store(), digest, bytes).status, 201);
  EXPECT_EQ(ollama_blob_exists(temp.store(), digest).status, 200);
  EXPECT_EQ(ollama_blob_exists(temp.store(), "sha256-" + hex).status, 200);
  EXPECT_EQ(upload(temp.store(), digest, "").status, 200);  // it is there
  EXPECT_EQ(file_bytes(temp.models() / "blobs" / ("sha256-" + hex)), bytes);
  std::string other = "sha256:" + std::string(64, '1');
  ApiReply wrong = upload(temp.store(), other, bytes);
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(wrong.body, fmt::format(R"({{"error":"digest mismatch, expected \"{}\", got \"{}\""}})",
                                    other, digest));
  for (std::string_view bad : {"", "sha256:", "sha256:../../x", "md5:12",
                               "1111111111111111111111111111111111111111111111111111111111111111"})
  {
    EXPECT_EQ(ollama_blob_exists(temp.store(), bad).status, 400) << bad;
    EXPECT_EQ(BlobUpload::begin(temp.store(), bad).error().status, 400) << bad;
  }
  {
    auto broken_off = BlobUpload::begin(temp.store(), other);
    ASSERT_TRUE(broken_off);
    ASSERT_TRUE(broken_off->write(bytes_of(bytes)));
    EXPECT_EQ(blob_files(temp), 2u);
    // A slow client locks nobody out.
    EXPECT_EQ(ollama_remove(temp.store(), json(R"({"model": "nope"})")).status, 404);
    EXPECT_TRUE(FileLock::acquire(temp.models() / "hearth.lock", FileLock::Mode::kExclusive, 0));
  }
  EXPECT_EQ(blob_files(temp), 1u);  // what was whole; nothing half written
}

TEST(OllamaStore, CreateFromAModel) {
  TemporaryStore temp;
  ASSERT_TRUE(create(temp.store(), "base", kRecipe));
  Created made = create_of(temp.store(), R"({"model": "child", "from": "BASE", "system": "Long.",
    "template": "{% if x %}{% endif %}", "license": ["three"], "parameters": {"seed": 3,
    "stop": ["X"]}, "messages": [{"role": "user", "content": "Hi"}], "renderer": "r"})");
  ASSERT_EQ(made.reply.status, 200) << made.reply.body;
  EXPECT_EQ(made.reply.body, R"({"status":"success"})");
  auto statuses = made.statuses();
  EXPECT_EQ(statuses.back(), "writing manifest");
  auto existing = std::ranges::count_if(
      statuses, [](const std::string& s) { return s.starts_with("using existing layer sha256:"); });
  EXPECT_EQ(existing, 3);  // weights and two licences
  ResolvedModel model = resolve_model(temp.store(), "child").value();
  EXPECT_EQ(model.system, "Long.");
  EXPECT_EQ(model.params["seed"].as_int(), 3);
  EXPECT_EQ(model.params["stop"].dump(), R"(["X"])");
  EXPECT_EQ(model.messages.at(0).content, "Hi");
  EXPECT_EQ(model.licenses.size(), 3u);
  EXPECT_EQ(json(ollama_show(temp.store(), json(R"({"model": "child"})")).body)["renderer"].dump(),
            "\"r\"");
}

TEST(OllamaStore, CreateFromFiles) {
  TemporaryStore temp;
  std::string gguf = upload_file(temp.store(), test_data("tiny.gguf"));
  for (std::string_view name : {"tiny.gguf", "weights"}) {
    Created made = create_of(temp.store(), fmt::format(
        R"({{"name": "g", "files": {{"{}": "{}"}}, "license": "one"}})", name, gguf));
    ASSERT_EQ(made.reply.status, 200) << made.reply.body;
    EXPECT_EQ(made.statuses().front(), "parsing GGUF");
    EXPECT_EQ("sha256:" + sha256_file(resolve_model(temp.store(), "g")->path).value(), gguf);
  }
  std::string files;
  for (const auto& entry : fs::directory_iterator(test_data("folder")))
    files += fmt::format("{}\"{}\": \"{}\"", files.empty() ? "" : ", ",
                         entry.path().filename().string(), upload_file(temp.store(), entry.path()));
  Created made =
      create_of(temp.store(), fmt::format(R"({{"model": "s", "files": {{{}}}}})", files));
  ASSERT_EQ(made.reply.status, 200) << made.reply.body;
  EXPECT_EQ(made.statuses().front(), "reading files");
  EXPECT_EQ(json(ollama_tags(temp.store()).body)["models"].as_array().size(), 2u);
  EXPECT_TRUE(fs::is_directory(resolve_model(temp.store(), "s")->path));
  EXPECT_TRUE(temp.store().verify(false)->problems.empty());
}

TEST(OllamaStore, CreateFromASplitFile) {
  TemporaryStore temp;
  std::string files;
  for (std::string_view part : {"split-00002-of-00003.gguf", "split-00001-of-00003.gguf",
                                "split-00003-of-00003.gguf"})
    files += fmt::format(
        "{}\"{}\": \"{}\"", files.empty() ? "" : ", ", part,
        upload_file(temp.store(), fs::path(HEARTH_TEST_DATA) / "container" / part));
  Created made =
      create_of(temp.store(), fmt::format(R"({{"model": "s", "files": {{{}}}}})", files));
  ASSERT_EQ(made.reply.status, 200) << made.reply.body;
  EXPECT_TRUE(resolve_model(temp.store(), "s")->path.ends_with(".gguf"));
}

TEST(OllamaStore, CreateRefuses) {
  TemporaryStore temp;
  ASSERT_TRUE(create(temp.store(), "base", kRecipe));
  std::string gguf = upload_file(temp.store(), test_data("tiny.gguf"));
  std::string text = "not a model";
  std::string junk = "sha256:" + sha256_hex(text);
  ASSERT_EQ(upload(temp.store(), junk, text).status, 201);
  struct Row {
    std::string body;
    int status;
    std::string_view error;  // a part of it
  };
  const Row rows[] = {
      {R"({"from": "base"})", 400, "invalid model name"},
      {R"({"model": "../x", "from": "base"})", 400, "invalid model name"},
      {R"({"model": "x"})", 400, "neither 'from' or 'files' was specified"},
      {R"({"model": "x", "files": {}})", 400, "neither 'from' or 'files' was specified"},
      {R"({"model": "x", "from": "nope"})", 404, "model 'nope' not found"},
      {R"({"model": "x", "from": "/etc/passwd"})", 400, "invalid model name"},
      {R"({"model": "x", "from": "./tiny.gguf"})", 400, "invalid model name"},
      {R"({"model": "x", "from": "base", "quantize": "q4_K_M"})", 400,
       "quantize is not supported yet"},
      {R"({"model": "x", "from": "base", "parameters": {"top_k": -1}})", 400, "top_k"},
      {R"({"model": "x", "from": "base", "parameters": []})", 400, "parameters"},
      {R"({"model": "x", "from": "base", "template": "{{ .Prompt "})", 400, "template error"},
      {R"({"model": "x", "from": "base", "template": "{% if %}"})", 400, "template error"},
      {R"({"model": "x", "from": "base", "license": [1]})", 400, "license"},
      {R"({"model": "x", "from": "base", "messages": [{"role": "x"}]})", 400, "messages[0].role"},
      {R"({"model": "x", "files": {"a.gguf": 1}})", 400, "invalid digest format"},
      {R"({"model": "x", "files": {"a.gguf": ""}})", 400, "invalid digest format"},
      {fmt::format(R"({{"model": "x", "files": {{"/a.gguf": "{}"}}}})", gguf), 400,
       "file path must be relative"},
      {fmt::format(R"({{"model": "x", "files": {{"b/../a.gguf": "{}"}}}})", gguf), 400,
       "file path must be relative"},
      {fmt::format(R"({{"model": "x", "files": {{"a.gguf": "sha256:{}"}}}})", std::string(64, '2')),
       400, "has no blob"},
      {fmt::format(R"({{"model": "x", "files": {{"a.gguf": "{}"}}}})", junk), 400, ""},
      {fmt::format(R"({{"model": "x", "files": {{"a": "{}"}}}})", junk), 400, "unknown type"},
      {fmt::format(R"({{"model": "x", "files": {{"a.safetensors": "{}"}}}})", junk), 400, ""},
      {fmt::format(R"({{"model": "x", "files": {{"a.gguf": "{}", "b.gguf": "{}"}}}})", gguf, gguf),
       400, "2 models"},
      {fmt::format(R"({{"model": "x", "from": "base", "adapters": {{"a": "{}", "b": "{}"}}}})",
                   gguf, gguf), 400, "only one adapter"},
  };
  auto before = blob_files(temp);
  for (const Row& row : rows) {
    Created made = create_of(temp.store(), row.body);
    EXPECT_EQ(made.reply.status, row.status) << row.body << made.reply.body;
    EXPECT_NE(json(made.reply.body)["error"].as_string().find(row.error), std::string::npos)
        << row.body << made.reply.body;
    EXPECT_EQ(made.reply.body.find("hearth-create"), std::string::npos) << made.reply.body;
  }
  EXPECT_EQ(temp.store().list()->size(), 1u);
  EXPECT_EQ(blob_files(temp), before);
}

TEST(OllamaStore, NamesAndStreams) {
  EXPECT_EQ(ollama_model_of(json(R"({"NAME": "a"})")), "a");
  EXPECT_EQ(ollama_model_of(json(R"({"name": "a", "model": "b"})")), "b");
  EXPECT_EQ(ollama_model_of(json("[]")), "");
  EXPECT_TRUE(ollama_streams(json("{}")));
  EXPECT_TRUE(ollama_streams(json(R"({"stream": null})")));
  EXPECT_FALSE(ollama_streams(json(R"({"Stream": false})")));
}

TEST(OllamaStore, TagsAreKeptUntilTheStoreChanges) {
  TemporaryStore temp;
  TagsCache cache(temp.store());
  auto models = [&] { return json(cache.body())["models"].as_array().size(); };
  EXPECT_EQ(models(), 0u);
  ASSERT_TRUE(create(temp.store(), "a", kRecipe));
  cache.invalidate();
  EXPECT_EQ(models(), 1u);
  const char* bytes = cache.body().data();
  EXPECT_EQ(cache.body().data(), bytes);  // the same text, not another one like it
  // Without being told it sees what others do, if not at once.
  ASSERT_TRUE(create(temp.store(), "b", kRecipe));
  for (int i = 0; i < 500 && models() != 2; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(models(), 2u);
  fs::remove(temp.models() / "manifests/registry.ollama.ai/library/a/latest");
  for (int i = 0; i < 500 && models() != 1; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(models(), 1u);
}

}  // namespace
}  // namespace hearth::api
