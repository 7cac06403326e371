namespace QuickStart.Verification.Input;

/// <summary>One line of the input.</summary>
/// <param name="Number">Its number, from 1.</param>
/// <param name="Value">The line as it came, without its line break; empty where it has a <paramref name="Problem"/>.</param>
/// <param name="Key">The key; null where the line has none.</param>
/// <param name="Problem">Why the line is malformed; null where it is not.</param>
internal readonly record struct InputLine(long Number, byte[] Value, string? Key, string? Problem);
