// hearth run: a question and its answer, or a chat.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <optional>
#include <random>

#include "base/file.h"
#include "cli/engine.h"
#include "cli/terminal.h"

namespace hearth {
namespace {

constexpr uint64_t kStdinBytesMax = 64u << 20;

std::atomic<bool> interrupted{false};
int wake_pipe[2] = {-1, -1};  // a byte for each Ctrl-C: waiting for a line must not miss one

// Ctrl-C while an answer runs stops the answer: the engine looks at the flag between layers.
void on_interrupt(int) {
  interrupted.store(true, std::memory_order_relaxed);
  [[maybe_unused]] ssize_t put = write(wake_pipe[1], "", 1);
}

Result<void> catch_interrupts() {
  if (pipe2(wake_pipe, O_NONBLOCK | O_CLOEXEC) != 0) return fail_errno("make", "a pipe");
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  return {};
}

// Forgets what was pressed so far.
void clear_interrupts() {
  char bytes[64];
  while (read(wake_pipe[0], bytes, sizeof bytes) > 0) continue;
  interrupted.store(false);
}

struct Conversation {
  Engine* engine;
  Session* session;
  const ChatFormat* format;  // nullptr: plain continuation of what is typed
  SamplingParams sampling;
  std::vector<ChatMessage> messages;
  bool verbose = false;
  bool json = false;
};

Result<std::vector<TokenId>> prompt_of(const Conversation& chat, const std::string& text) {
  if (chat.format == nullptr)
    return chat.engine->tokenizer->encode(text, {.add_special = true, .parse_special = false});
  return chat.format->tokens(chat.messages, *chat.engine->tokenizer);
}

Json answer_json(const Generation& answer) {
  return Json::Object{{"text", answer.text},
                      {"finish_reason", name_of(answer.reason)},
                      {"timings", to_json(answer.timings)}};
}

// Asks, streams the answer to stdout, and keeps both in the conversation.
Result<void> ask(Conversation& chat, const std::string& text) {
  chat.messages.push_back({"user", text});
  std::vector<TokenId> prompt = TRY(prompt_of(chat, text));
  std::optional<Error> write_error;
  GenerateEvents events;
  events.cancel = &interrupted;
  if (!chat.json)
    events.on_text = [&](std::string_view piece) {
      auto written = write_out(stdout_is_terminal() ? printable(piece) : std::string(piece));
      if (!written && !write_error) {
        write_error = written.error();
        interrupted.store(true);  // nobody reads: do not compute the rest
      }
    };
  auto answer = chat.session->generate(prompt, chat.sampling, events);
  if (!answer) {
    chat.messages.pop_back();
    return std::unexpected(answer.error());
  }
  if (write_error) return std::unexpected(*write_error);
  if (chat.json)
    TRY(print("{}\n", answer_json(*answer).dump()));
  else if (!answer->text.ends_with('\n'))
    TRY(write_out("\n"));
  chat.messages.push_back({"assistant", answer->text});
  if (chat.verbose) write_err(statistics(answer->timings));
  return {};
}

// A line from the terminal without its newline; nullopt at the end of input; empty, with
// `interrupted` set, after Ctrl-C.
std::optional<std::string> read_line() {
  std::string line;
  while (true) {
    pollfd ready[] = {{STDIN_FILENO, POLLIN, 0}, {wake_pipe[0], POLLIN, 0}};
    if (poll(ready, 2, -1) < 0 && errno != EINTR) return std::nullopt;
    if (interrupted.load()) return std::string();
    if (ready[0].revents == 0) continue;
    char c;
    ssize_t got = read(STDIN_FILENO, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return line.empty() ? std::nullopt : std::optional(line);
    if (c == '\n') return line;
    line += c;
  }
}

constexpr std::string_view kHelp =
    "Type a message and press Enter. \"\"\" begins and ends a message of several lines.\n"
    "  /clear  forget the conversation\n"
    "  /bye    leave (also Ctrl-D)\n"
    "  Ctrl-C  stop the answer, keep the conversation\n";

// The message that begins with `line`, which may open a block of several lines.
std::optional<std::string> whole_message(std::string line) {
  if (!line.starts_with("\"\"\"")) return line;
  std::string message = line.substr(3);
  while (!message.ends_with("\"\"\"")) {
    write_err("... ");
    auto next = read_line();
    if (!next || interrupted.load()) return std::nullopt;
    message += "\n" + *next;
  }
  message.resize(message.size() - 3);
  return message;
}

Result<int> chat_loop(Conversation& chat, size_t kept_messages) {
  write_err(fmt::format("{}: type a message, /help for help, /bye to leave\n",
                        chat.engine->resolved.display_name));
  while (true) {
    clear_interrupts();
    write_err(">>> ");
    auto line = read_line();
    if (!line) {
      write_err("\n");
      return 0;
    }
    if (interrupted.load()) {
      write_err("\n(Ctrl-D or /bye leaves)\n");
      continue;
    }
    if (*line == "/bye" || *line == "/exit") return 0;
    if (*line == "/help" || *line == "/?") {
      write_err(kHelp);
    } else if (*line == "/clear") {
      chat.messages.resize(kept_messages);
      write_err("The conversation is forgotten.\n");
    } else if (auto message = whole_message(*line); message && !message->empty()) {
      auto answered = ask(chat, *message);
      if (!answered && answered.error().code == Code::kIo) return std::unexpected(answered.error());
      if (!answered) report(answered.error());
      if (interrupted.load()) write_err("(stopped)\n");
    }
  }
}

Result<int> run(const Args& args) {
  std::string prompt = args.positional("PROMPT");
  bool interactive = prompt.empty() && stdin_is_terminal();
  if (prompt.empty() && !interactive) {
    prompt = TRY(read_stdin(kStdinBytesMax));
    if (prompt.empty())
      return fail(Code::kUsage, "there is no question: give it as an argument or on stdin");
  }
  Engine engine = TRY(load_engine(args.positional("MODEL"), args.options));
  SamplingParams sampling = TRY(sampling_of(args.options, engine.resolved));
  if (!args.options.given("seed") && !engine.resolved.params["seed"].is_int())
    sampling.seed = std::random_device{}();
  sampling.n = 1;  // a chat goes on with one answer
  auto format = TRY(engine.chat_format());
  Session session = TRY(Session::create(*engine.runner, engine.tokenizer,
                                        engine.context(args.options), engine.kv));
  Conversation chat{.engine = &engine, .session = &session,
                    .format = format ? &*format : nullptr, .sampling = std::move(sampling),
                    .messages = {}, .verbose = args.options.flag("verbose"),
                    .json = args.options.flag("json")};
  std::string system = args.options.text("system", engine.resolved.system);
  if (!system.empty()) chat.messages.push_back({"system", system});
  for (const SeedMessage& seed : engine.resolved.messages)
    chat.messages.push_back({seed.role, seed.content});
  TRY(catch_interrupts());
  if (interactive) return chat_loop(chat, chat.messages.size());
  TRY(ask(chat, prompt));
  return interrupted.load() ? 130 : 0;
}

constexpr Positional kPositionals[] = {
    {"MODEL", Positional::Count::kRequired, "a name in the store, a .gguf file or a folder"},
    {"PROMPT", Positional::Count::kAny, "the question; without one, stdin, or a chat"},
};
const std::vector<OptionRow> kOptions = with_sampling({
    {.name = "system", .type = OptionType::kString, .value_name = "TEXT",
     .text = "instructions for the model, instead of its own"},
    kContextOption,
    {.name = "verbose", .type = OptionType::kFlag, .text = "print counts and speeds to stderr"},
    kJsonOption, kPrecisionOption, kKvOption, kThreadsOption,
});

}  // namespace

extern const Command k_run_command = {
    .name = "run",
    .summary = "ask a model a question, or chat with it",
    .help = "With a prompt (or text on stdin) prints the answer and exits; on a terminal without\n"
            "one opens a chat.\n\n"
            "Examples:\n"
            "  hearth run qwen2.5-coder:1.5b \"What is the capital of France?\"\n"
            "  hearth run ./model.gguf < question.txt\n",
    .positionals = kPositionals,
    .options = kOptions,
    .run = run,
};

}  // namespace hearth
