// Any bytes as a tokenizer.json; what is read encodes a hostile text, alone and in a batch of
// pairs, and decodes what came out, at once and as a stream.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "tokenizer/tokenizer.h"

namespace hearth {
namespace {

using namespace std::string_view_literals;

// White space, marks to reorder, CJK, digits, emoji, what looks like a token, bytes that are no
// UTF-8, and runs.
constexpr std::string_view kText =
    "  The <s>a</s>\t\r\n isn't 1234 e\u0301\u0323 \u4F60\u597D \u2581\u2581 \U0001F642 ##b </w> "
    "<0x41>\x00\xFF\xE2\x96 \u0130\uFB01aaaaaaaaaaaaaaaaaaaaaaaaaaaa!!!!!!!!!!\u3000"sv;

void run(const Tokenizer& tokenizer) {
  const std::vector<TokenId> ids = tokenizer.encode(kText, {});
  for (const TokenId id : ids) CHECK(id >= 0 && id < tokenizer.size());
  for (const bool special : {false, true}) {
    StreamDecoder decoder(tokenizer, special);
    std::string streamed;
    for (const TokenId id : ids) streamed += decoder.push(id);
    streamed += decoder.finish();
    CHECK(streamed == replace_invalid_utf8(tokenizer.decode(ids, special)));
    CHECK(is_valid_utf8(streamed));
  }
  for (TokenId id = -1; id < 8; ++id) (void)tokenizer.piece(id, true);
  const TextPair texts[] = {{kText, "b"}, {"", std::nullopt}};
  (void)tokenizer.encode_batch(texts, {.parse_special = false});
}

}  // namespace
}  // namespace hearth

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto json = hearth::Json::parse({reinterpret_cast<const char*>(data), size});
  if (!json) return 0;
  const auto tokenizer = hearth::Tokenizer::from_hugging_face(*json, hearth::Json());
  if (tokenizer) hearth::run(**tokenizer);
  return 0;
}
