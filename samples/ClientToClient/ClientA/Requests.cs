using System.ComponentModel.DataAnnotations;

namespace ClientToClient.ClientA;

/// <summary>The body of <c>POST /send-message</c>: three texts that are not empty.</summary>
/// <param name="From">1 to 200 characters.</param>
/// <param name="To">1 to 200 characters.</param>
/// <param name="Message">As long as the request may be.</param>
public sealed record NewMessage(
    [property: Required, StringLength(200)] string? From, [property: Required, StringLength(200)] string? To, [property: Required] string? Message);
