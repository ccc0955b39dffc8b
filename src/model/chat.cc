#include "model/chat.h"

namespace hearth {

Result<ChatFormat> ChatFormat::compile(std::string_view source, const Tokenizer& tokenizer) {
  auto name = [&](TokenId id) { return id >= 0 ? tokenizer.entry(id) : std::string(); };
  return ChatFormat(TRY(Template::compile(source)), name(tokenizer.bos()), name(tokenizer.eos()));
}

Result<ChatFormat> ChatFormat::compile_go(std::string_view source) {
  return ChatFormat(TRY(GoTemplate::compile(source)));
}

Result<Rendered> ChatFormat::render(const std::vector<ChatMessage>& messages) const {
  Json::Array list;
  for (const ChatMessage& message : messages)
    list.push_back(Json::Object{{"role", message.role}, {"content", message.content}});
  Json context;
  context.set("messages", std::move(list));
  if (go_) return go_->render(context);
  context.set("add_generation_prompt", true);
  context.set("bos_token", bos_);
  context.set("eos_token", eos_);
  return template_->render_marked(context);
}

Result<std::vector<TokenId>> ChatFormat::tokens(const std::vector<ChatMessage>& messages,
                                                const Tokenizer& tokenizer) const {
  const Rendered prompt = TRY(render(messages));
  std::vector<TokenId> ids =
      tokenizer.encode(prompt.text, {.add_special = false, .parse_special = true,
                                     .foreign = prompt.foreign});
  if (tokenizer.adds_bos() && tokenizer.bos() >= 0 &&
      (ids.empty() || ids.front() != tokenizer.bos()))
    ids.insert(ids.begin(), tokenizer.bos());
  return ids;
}

}  // namespace hearth
