// ChatFormat: how one model wants a conversation written: its template, compiled once, with the
// names of its special tokens. Immutable; render() may be called from any thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "template/go/go_template.h"
#include "template/rendered.h"
#include "template/template.h"
#include "tokenizer/tokenizer.h"

namespace hearth {

struct ChatMessage {
  std::string role;     // "system", "user", "assistant"
  std::string content;
};

struct ChatOptions {
  std::optional<bool> think;  // whether the model is to reason, for templates that know of it
  // The last message is the assistant's and not at its end: the prompt stops right after it, as
  // with transformers' continue_final_message. Where the template trims messages, white space at
  // its end is gone; where it is nothing but white space, the answer is to begin.
  bool continue_last = false;
};

struct ChatPrompt {
  std::vector<TokenId> tokens;
  bool thinking = false;  // it ends within reasoning: the answer begins there
  std::string begun;      // with continue_last: what of the last message it ends with
};

class ChatFormat {
 public:
  // `source` is Jinja; kCorrupt with line and column where it is not.
  static Result<ChatFormat> compile(std::string_view source, const Tokenizer& tokenizer);

  // The same for a source in the language of Ollama's packages.
  static Result<ChatFormat> compile_go(std::string_view source);

  // The prompt for these messages, ending where the assistant is to speak, with the bytes that the
  // messages wrote. kInvalid where a last message cannot be continued: it is not the assistant's,
  // or the template does not write it as it is.
  Result<Rendered> render(const std::vector<ChatMessage>& messages,
                          const ChatOptions& options = {}) const;

  // The prompt as tokens. The template writes the special tokens, BOS among them where the model
  // wants it, so BOS is added only where the text does not begin with it. What the messages say
  // stays text: a "<|im_end|>" in it ends nothing.
  Result<ChatPrompt> prompt(const std::vector<ChatMessage>& messages, const Tokenizer& tokenizer,
                            const ChatOptions& options = {}) const;

 private:
  Result<Rendered> render_list(const std::vector<ChatMessage>& messages,
                               const ChatOptions& options) const;
  ChatFormat(Template compiled, std::string bos, std::string eos)
      : template_(std::make_shared<const Template>(std::move(compiled))),
        bos_(std::move(bos)),
        eos_(std::move(eos)) {}
  explicit ChatFormat(GoTemplate compiled) : go_(std::move(compiled)) {}
  std::shared_ptr<const Template> template_;
  std::optional<GoTemplate> go_;  // in place of template_
  std::string bos_, eos_;
};

}  // namespace hearth
