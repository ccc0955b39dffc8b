#include "exercise.h"

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

uint64_t tokenize(const Tokenizer& tokenizer, const std::string& chat_template) {
  uint64_t sum = static_cast<uint64_t>(tokenizer.size());
  auto ids = tokenizer.encode("tok 1 <|im_start|> tok\xC4\xA0 2 \xFF", {});
  sum += tokenizer.decode(ids, true).size();
  auto format = ChatFormat::compile(chat_template, tokenizer);
  if (format) sum += format->render({{"user", "Hello"}}).value_or("").size();
  return sum;
}

// Loads what the file says it is, and makes a few tokens where it loads.
uint64_t run(const TensorFile& file) {
  uint64_t sum = 0;
  auto tokenizer = Tokenizer::from_gguf(file.metadata());
  if (tokenizer)
    sum += tokenize(**tokenizer,
                    std::string(file.metadata().text("tokenizer.chat_template").value_or("")));
  auto model = Model::load(file, "");
  if (!model || !tokenizer) return sum;
  Runner runner(*model, {.precision = Precision::kExact, .threads = 1});
  auto session = Session::create(runner, *tokenizer, 64, KvType::kF16);
  if (!session) return sum;
  std::vector<TokenId> prompt = {1, 2, 0};
  auto made = session->generate(prompt, {.temperature = 0, .max_tokens = 3}, {});
  return sum + (made ? made->tokens.size() : 1);
}

}  // namespace

uint64_t exercise(const TensorFile& file) {
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
  return copy.kind() == ContainerKind::kGguf ? sum + run(copy) : sum;
}

}  // namespace hearth
