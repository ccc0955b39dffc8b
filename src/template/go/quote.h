// Texts written so that nothing in them is taken for something else: Go's quoted strings, HTML,
// JavaScript, URL queries, JSON. Each remembers which bytes came from foreign ones.
#pragma once

#include <string>
#include <string_view>

#include "template/go/sink.h"
#include "template/rendered.h"

namespace hearth::gotmpl {

void append_quoted(Sink& out, const Rendered& text, bool ascii_only);  // strconv.Quote
std::string quoted_rune(char32_t code, bool ascii_only);                   // strconv.QuoteRune
bool can_be_raw(std::string_view text);                                    // between backquotes

// encoding/json's strings, with <, > and & escaped, and U+FFFD where the bytes are no UTF-8.
void append_json_text(Sink& out, const Rendered& text);

void escape_html(Sink& out, const Rendered& text);
void escape_js(Sink& out, const Rendered& text);
void escape_query(Sink& out, const Rendered& text);

}  // namespace hearth::gotmpl
