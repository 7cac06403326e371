using System.Text;
using System.Text.RegularExpressions;

namespace Chat.Rooms;

/// <summary>What names and texts may be.</summary>
internal static partial class RoomRules
{
    public const string RoomHint = "A room's name has 1 to 64 lower-case letters, digits, '-' and '_', and begins with a letter or digit.";
    public const string NameHint = "A name has 1 to 32 letters, digits, spaces, and the characters . _ -";

    public static bool IsRoom(string? roomId) => roomId is not null && RoomName().IsMatch(roomId);

    public static bool IsText(string? text) => !string.IsNullOrWhiteSpace(text) && Encoding.UTF8.GetByteCount(text) <= ChatOptions.MaxTextBytes;

    /// <summary>The user id of a name: the same for "Ann" and "ann".</summary>
    public static string? UserIdOf(string? name) =>
        name?.Trim() is { Length: > 0 } trimmed && UserName().IsMatch(trimmed) ? trimmed.ToLowerInvariant().Replace(' ', '-') : null;

    [GeneratedRegex("^[a-z0-9][a-z0-9_-]{0,63}$", RegexOptions.NonBacktracking)]
    private static partial Regex RoomName();

    [GeneratedRegex(@"^[\p{L}\p{N}][\p{L}\p{N}\p{M} ._-]{0,31}$", RegexOptions.NonBacktracking)]
    private static partial Regex UserName();
}
