// The byte-level alphabet of GPT-2: every byte has a printable character of its own, so that any
// bytes can be written in a vocabulary of text. Bytes 0x21..0x7E, 0xA1..0xAC and 0xAE..0xFF stand
// for themselves; the other 68, in order, are U+0100, U+0101, ... (a space is U+0120, "Ġ").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth {

char32_t byte_to_alphabet(uint8_t byte);
int alphabet_to_byte(char32_t code);  // -1 for characters outside the alphabet

// Appends bytes as alphabet characters in UTF-8.
void append_byte_level(std::string& out, std::string_view bytes);

// Appends the bytes that an entry stands for; false, with nothing appended, where a character
// of the entry is not of the alphabet.
bool append_from_byte_level(std::string& out, std::string_view entry);

// The byte that "<0x0A>" stands for, or -1 for any other text.
int byte_of_entry(std::string_view entry);

}  // namespace hearth
