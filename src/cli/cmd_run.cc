// hearth run: a question and its answer, or a chat.
#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "api/ollama.h"
#include "base/file.h"
#include "base/utf8.h"
#include "cli/chat/commands.h"
#include "cli/terminal.h"
#include "registry/store.h"

namespace hearth {
namespace {

constexpr uint64_t kStdinBytesMax = 64u << 20, kFileBytesMax = 64u << 20;
constexpr std::string_view kPrompt = ">>> ", kMore = "... ", kQuotes = "\"\"\"";

// Reads messages: with the line editor on a terminal, else line by line.
class MessageReader {
 public:
  MessageReader(std::optional<terminal::LineEditor> editor) : editor_(std::move(editor)) {}

  // A whole message; what opens with """ goes on to the closing one.
  Result<terminal::ReadLine> read(std::string initial) {
    terminal::ReadLine line = TRY(read_line(kPrompt, std::move(initial)));
    if (line.end != terminal::ReadEnd::kLine || !line.text.starts_with(kQuotes)) return line;
    std::string message = line.text.substr(kQuotes.size());
    while (!message.ends_with(kQuotes)) {
      const terminal::ReadLine next = TRY(read_line(kMore, {}));
      if (next.end != terminal::ReadEnd::kLine) return next;
      message += "\n" + next.text;
    }
    message.resize(message.size() - kQuotes.size());
    return terminal::ReadLine{terminal::ReadEnd::kLine, std::move(message)};
  }

 private:
  Result<terminal::ReadLine> read_line(std::string_view prompt, std::string initial) {
    if (editor_) return editor_->read(prompt, std::move(initial));
    write_err(prompt);
    return read_plain_line();
  }

  // From a terminal without escape sequences, which edits lines itself.
  static terminal::ReadLine read_plain_line() {
    std::string line;
    while (true) {
      pollfd ready[] = {{STDIN_FILENO, POLLIN, 0}, {interrupt_descriptor(), POLLIN, 0}};
      if (poll(ready, 2, -1) < 0 && errno != EINTR) return {terminal::ReadEnd::kEndOfInput};
      if (interrupted()) {
        clear_interrupts();
        write_err("\n");
        return {terminal::ReadEnd::kInterrupted};
      }
      if (ready[0].revents == 0) continue;
      char c;
      const ssize_t got = ::read(STDIN_FILENO, &c, 1);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0 && line.empty()) return {terminal::ReadEnd::kEndOfInput};
      if (got <= 0 || c == '\n') return {terminal::ReadEnd::kLine, std::move(line)};
      line += c;
    }
  }

  std::optional<terminal::LineEditor> editor_;
};

// True when the chat ends.
Result<bool> handle(Chat& chat, const terminal::ReadLine& line) {
  if (line.end == terminal::ReadEnd::kEndOfInput) return true;
  if (line.end == terminal::ReadEnd::kInterrupted) {
    write_err("(Ctrl-D or /bye leaves)\n");
    return false;
  }
  clear_interrupts();
  const bool command = line.text.starts_with('/') && line.text.find('\n') == std::string::npos;
  const auto done = line.text.empty() ? Result<void>{}
                    : command         ? run_chat_command(chat, line.text)
                                      : chat.conversation->ask(line.text);
  if (!done && done.error().code == Code::kIo) return std::unexpected(done.error());
  if (!done) report(done.error());
  if (interrupted()) write_err("(stopped)\n");
  return chat.leave;
}

Result<int> chat_loop(std::unique_ptr<Conversation> conversation, const Options& options) {
  auto home = hearth_home();
  terminal::History history(home ? *home / "history" : std::filesystem::path());
  Chat chat{.conversation = std::move(conversation), .options = &options, .history = &history};
  auto complete = [&chat](std::string_view text, size_t cursor) {
    return complete_chat(chat, text, cursor);
  };
  std::optional<terminal::LineEditor> editor;
  if (terminal_takes_escapes())
    editor.emplace(TRY(terminal::LineEditor::open({.in = STDIN_FILENO, .out = STDERR_FILENO,
                                                   .history = &history,
                                                   .complete = complete})));
  MessageReader reader(std::move(editor));
  write_err(fmt::format("{}: type a message, /help for help, /bye to leave\n",
                        chat.conversation->model().name));
  while (true) {
    const terminal::ReadLine line = TRY(reader.read(std::exchange(chat.initial, {})));
    if (TRY(handle(chat, line))) return 0;
  }
}

// The question: words, and what comes on stdin, which then is its context.
Result<std::string> question_of(const Args& args) {
  std::string question = args.positional("PROMPT");
  if (stdin_is_terminal()) return question;
  std::string piped = TRY(read_stdin(kStdinBytesMax));
  if (question.empty() && piped.empty() && args.options.list("file").empty())
    return fail(Code::kUsage, "there is no question: give it as an argument or on stdin");
  if (piped.empty()) return question;
  if (!is_valid_utf8(piped)) return fail(Code::kInvalid, "stdin is no text in UTF-8");
  return question.empty() ? piped : piped + (piped.ends_with('\n') ? "\n" : "\n\n") + question;
}

Result<int> run(const Args& args) {
  const std::string question = TRY(question_of(args));
  if (question.empty() && stdin_is_terminal() && args.options.has("continue"))
    return fail(Code::kUsage, "--continue goes with a question; a chat has /continue");
  if (args.options.has("keep-alive")) {
    auto kept = api::parse_ollama_keep_alive(Json(args.options.text("keep-alive")));
    if (!kept) return std::unexpected(with_context(kept.error().error, "--keep-alive"));
  }
  std::vector<std::pair<std::string, std::string>> files;
  for (const std::string& path : args.options.list("file")) {
    std::string text = TRY(read_file(path, kFileBytesMax));
    if (!is_valid_utf8(text)) return fail(Code::kInvalid, "{} is no text in UTF-8", path);
    files.emplace_back(std::filesystem::path(path).filename().string(), std::move(text));
  }
  auto conversation = TRY(Conversation::open(args.positional("MODEL"), args.options));
  for (auto& [name, text] : files) conversation->attach(name, std::move(text));
  TRY(catch_interrupts());
  if (question.empty() && stdin_is_terminal())
    return chat_loop(std::move(conversation), args.options);
  TRY(conversation->ask(question, args.options.text("continue", "")));
  return interrupted() ? 130 : 0;
}

constexpr Positional kPositionals[] = {
    {"MODEL", Positional::Count::kRequired, "a name in the store, a .gguf file or a folder"},
    {"PROMPT", Positional::Count::kAny, "the question; without one, stdin, or a chat"},
};
const std::vector<OptionRow> kOptions = with_sampling({
    {.name = "system", .type = OptionType::kString, .value_name = "TEXT",
     .text = "instructions for the model, instead of its own"},
    {.name = "file", .type = OptionType::kPath, .many = true, .value_name = "FILE",
     .text = "a text that goes before the question; may be given several times"},
    {.name = "think", .type = OptionType::kChoice, .choices = "on|off",
     .text = "whether a model that can is to reason before it answers"},
    kContinueOption, kContextOption,
    {.name = "verbose", .type = OptionType::kFlag, .text = "print counts and speeds to stderr"},
    kJsonOption, kPrecisionOption, kKvOption, kThreadsOption,
    {.name = "keep-alive", .type = OptionType::kString, .value_name = "DURATION",
     .text = "how long a server keeps the model: 30s, 5m, 0, -1 for ever (default: the server's)"},
    kHostOption, kLocalOption,
});

}  // namespace

extern const Command k_run_command = {
    .name = "run",
    .summary = "ask a model a question, or chat with it",
    .help = "With a prompt (or text on stdin) prints the answer and exits; on a terminal without\n"
            "one opens a chat, where /help tells the rest. With both, stdin is the context of the\n"
            "question.\n\n"
            "Where a server runs, it answers; else the model is loaded for this call. Files, and\n"
            "--precision, --kv and --threads, are never the server's.\n\n"
            "Examples:\n"
            "  hearth run qwen2.5-coder:1.5b \"What is the capital of France?\"\n"
            "  hearth run qwen2.5-coder:1.5b \"What does this do?\" < main.c\n",
    .positionals = kPositionals,
    .options = kOptions,
    .run = run,
};

}  // namespace hearth
