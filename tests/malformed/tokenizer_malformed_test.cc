// tokenizer.json and tokenizer.model, bent.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "mutate_json.h"
#include "mutate_protobuf.h"
#include "tokenizer/sentencepiece_file.h"
#include "tokenizer/test_support.h"
#include "watch.h"

namespace hearth {
namespace {

// Every tokenizer.json of the fixtures: each model, normalizer, pre-tokenizer, post-processor and
// decoder is in one of them.
std::vector<Json> tokenizer_documents() {
  std::vector<Json> out;
  Json parts = test::read_fixture("json_parts");
  for (const Json& entry : parts["tokenizers"].as_array()) {
    Json document = entry["tokenizer"];
    if (document["model"].is_null()) document.set("model", parts["model"]);
    out.push_back(std::move(document));
  }
  Json models = test::read_fixture("json_models");
  for (const Json& entry : models["tokenizers"].as_array())
    if (entry["tokenizer"].is_object()) out.push_back(entry["tokenizer"]);
  for (const char* name : {"tiny", "qwen", "llama2", "llama3", "metaspace", "steps", "spm_unigram"})
    out.push_back(test::read_fixture(name)["tokenizer"]);
  return out;
}

uint64_t use(const std::shared_ptr<const Tokenizer>& tokenizer) { return exercise(*tokenizer); }

TEST(MalformedTokenizer, BentJson) {
  Watch watch;
  std::vector<Json> documents = tokenizer_documents();
  ASSERT_GT(documents.size(), 100u);
  for (uint64_t number = 0; number < mutants(2000) + documents.size(); ++number) {
    const Json& document = documents[number % documents.size()];
    std::string text =
        number < documents.size() ? document.dump() : mutate_json(document, documents, number);
    auto open = [&]() -> Result<std::shared_ptr<const Tokenizer>> {
      return Tokenizer::from_hugging_face(TRY(Json::parse(text)), Json());
    };
    watch.look(open, use, fmt::format("mutant {}", number));
    if (HasFatalFailure()) return;
  }
  watch.expect_bounded("tokenizer.json");
  EXPECT_GT(watch.opened(), mutants(500));
  EXPECT_GT(watch.refused(), mutants(500));
}

TEST(MalformedTokenizer, BentSentencePieceFiles) {
  Watch watch;
  std::vector<std::string> files;
  Json fixture = test::read_fixture("spm_models");
  for (const Json& entry : fixture["models"].as_array())
    files.push_back(test::from_base64(entry["model"].as_string()));
  ASSERT_GE(files.size(), 14u);
  for (uint64_t number = 0; number < mutants(2000) + files.size(); ++number) {
    const std::string& file = files[number % files.size()];
    std::string bytes = number < files.size() ? file : mutate_protobuf(file, number);
    watch.look([&] { return make_from_sentencepiece(bytes, Json(), Json()); }, use,
               fmt::format("mutant {}", number));
    if (HasFatalFailure()) return;
  }
  watch.expect_bounded("tokenizer.model");
  EXPECT_GT(watch.opened(), mutants(400));
  EXPECT_GT(watch.refused(), mutants(400));
}

}  // namespace
}  // namespace hearth
