// Any bytes as a tokenizer.model; what is one encodes a hostile text and decodes what came out.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "tokenizer/sentencepiece_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using hearth::TokenId;
  static const std::string kText = [] {
    std::string text = "The quick  brown fox\n\xFF\u2581\u2581 na\u00EFve <s> </s> ";
    text += std::string(3, '\0') + "\U0001F642 \u4E2D\u6587 e\u0301 \u2122";
    return text + std::string(300, 'a');
  }();
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto made = hearth::make_from_sentencepiece(bytes, hearth::Json(), hearth::Json());
  if (!made) return 0;
  const hearth::Tokenizer& tokenizer = **made;
  const std::vector<TokenId> ids = tokenizer.encode(kText, {});
  for (const TokenId id : ids) CHECK(id >= 0 && id < tokenizer.size());
  const std::string text = tokenizer.decode(ids, false);
  hearth::StreamDecoder decoder(tokenizer);
  std::string streamed;
  for (const TokenId id : ids) streamed += decoder.push(id);
  streamed += decoder.finish();
  CHECK(hearth::is_valid_utf8(streamed) || tokenizer.decode_rules().rewrite);
  CHECK(streamed == hearth::replace_invalid_utf8(text) || tokenizer.decode_rules().rewrite);
  return 0;
}
