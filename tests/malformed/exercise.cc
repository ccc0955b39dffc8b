#include "exercise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <functional>

#include "engine/session.h"
#include "model/chat.h"

namespace hearth {
namespace {

uint64_t walk(const MetaArray& array) {
  uint64_t sum = array.count;
  if (array.item == MetaType::kString) {
    for (std::string_view text : array.strings) sum += std::hash<std::string_view>()(text);
    return sum;
  }
  for (uint64_t i = 0; i < array.count; ++i)
    sum += std::bit_cast<uint64_t>(array.number_at(i)) + static_cast<uint64_t>(array.integer_at(i));
  return sum;
}

// Every typed access, right or wrong: wrong ones must be errors, not more.
uint64_t ask(const Metadata& metadata, const std::string& key) {
  uint64_t sum = metadata.uint(key).value_or(1);
  sum += std::bit_cast<uint64_t>(metadata.number(key).value_or(1));
  sum += metadata.boolean(key, false).value_or(true);
  sum += metadata.text(key).value_or("").size();
  sum += metadata.array(key).has_value();
  return sum;
}

// Runs, marks to reorder, wide characters, what looks like tokens, bytes that are no UTF-8.
const std::string& hostile_text() {
  using namespace std::string_literals;
  static const std::string kText =
      "tok 1 <|im_start|> tok\xC4\xA0 2 \xFF  The <s>a</s>\t\r\n isn't 1234 e\u0301\u0323 "
      "\u4F60\u597D \u2581\u2581 \U0001F642 ##b </w> <0x41>"
      "\x00\xE2\x96 \u0130\uFB01 [MASK]\u3000"s +
      std::string(300, 'a') + std::string(64, '!') + std::string(64, ' ');
  return kText;
}

uint64_t render(const std::string& source, const Tokenizer& tokenizer) {
  auto format = ChatFormat::compile(source, tokenizer);
  if (!format) {
    expect_clear(format.error());
    return 1;
  }
  auto prompt = format->prompt({{"user", "Hello <|im_end|>"}}, tokenizer);
  if (prompt) return prompt->tokens.size();
  expect_clear(prompt.error());
  return 2;
}

// What the tokenizer makes of the text is the prompt, cut to what fits: it may know more ids than
// the model has rows.
uint64_t generate(const std::shared_ptr<const Model>& model,
                  const std::shared_ptr<const Tokenizer>& tokenizer) {
  Runner runner(model, {.precision = Precision::kExact, .threads = 1});
  auto session = Session::create(runner, tokenizer, 64, KvType::kF16);
  if (!session) {
    expect_clear(session.error());
    return 1;
  }
  uint64_t sum = 0;
  std::vector<TokenId> prompt = tokenizer->encode(hostile_text(), {});
  prompt.resize(std::min<size_t>(prompt.size(), 20));
  for (const auto& tokens : {prompt, std::vector<TokenId>{1, 2, 0}}) {
    for (double temperature : {0.0, 0.8}) {
      auto made = session->generate(tokens, {.temperature = temperature, .max_tokens = 3}, {});
      if (made) sum += made->tokens.size();
      else expect_clear(made.error());
    }
  }
  return sum;
}

// Loads what the file says it is, and makes a few tokens where it loads.
uint64_t run(const TensorFile& file, const std::string& folder) {
  uint64_t sum = 0;
  auto tokenizer = load_tokenizer(file, folder);
  if (tokenizer) sum += exercise(**tokenizer);
  else expect_clear(tokenizer.error());
  auto model = Model::load(file, folder);
  if (!model) {
    expect_clear(model.error());
    return sum;
  }
  if (!tokenizer) return sum;
  return sum + render((*model)->chat_template, **tokenizer) + generate(*model, *tokenizer);
}

}  // namespace

void expect_clear(const Error& error) {
  const std::string& message = error.message;
  EXPECT_FALSE(message.empty());
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  EXPECT_TRUE(is_valid_utf8(message)) << message;
  EXPECT_LT(message.size(), 1000u) << message;
  EXPECT_NE(error.code, Code::kInternal) << message;
  EXPECT_NE(error.code, Code::kOutOfMemory) << message;
}

uint64_t exercise(const Tokenizer& tokenizer) {
  const std::string& text = hostile_text();
  std::vector<TokenId> ids = tokenizer.encode(text, {});
  for (TokenId id : ids) EXPECT_TRUE(id >= 0 && id < tokenizer.size()) << id;
  uint64_t sum = ids.size();
  for (bool special : {false, true}) {
    StreamDecoder decoder(tokenizer, special);
    std::string streamed;
    for (TokenId id : ids) streamed += decoder.push(id);
    streamed += decoder.finish();
    std::string whole = tokenizer.decode(ids, special);
    sum += whole.size();
    if (tokenizer.decode_rules().rewrite) continue;
    EXPECT_EQ(streamed, replace_invalid_utf8(whole));
  }
  for (TokenId id : {-1, 0, 1, tokenizer.size(), INT32_MAX})
    sum += tokenizer.piece(id, true).size();
  const TextPair texts[] = {{text, "b"}, {"", std::nullopt}};
  auto batch = tokenizer.encode_batch(texts, {.parse_special = false});
  if (batch) sum += batch->front().ids.size();
  else expect_clear(batch.error());
  return sum;
}

uint64_t exercise(const TensorFile& file, const std::string& folder) {
  TensorFile copy = file;
  uint64_t sum = copy.file_bytes();
  for (const auto& [key, value] : copy.metadata().pairs()) {
    sum += ask(copy.metadata(), key);
    if (const auto* array = std::get_if<MetaArray>(&value.value)) sum += walk(*array);
  }
  for (const TensorInfo& tensor : copy.tensors()) {
    auto data = copy.data(tensor);
    if (!data.empty())
      sum += static_cast<uint64_t>(data.front()) + static_cast<uint64_t>(data.back());
    sum += tensor.elems() + tensor.shape_text().size();
    sum += copy.find(tensor.name) == &tensor;
  }
  return copy.kind() == ContainerKind::kGguf || !folder.empty() ? sum + run(copy, folder) : sum;
}

}  // namespace hearth
