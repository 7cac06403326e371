using Orders.Events;

namespace Orders.Api;

/// <summary>What can be ordered. The price is the shop's, not the client's.</summary>
internal static class Catalog
{
    private static readonly IReadOnlyDictionary<string, decimal> Prices = new Dictionary<string, decimal>(StringComparer.Ordinal)
    {
        ["book"] = 12.50m, ["lamp"] = 39.90m, ["chair"] = 149.00m,
    };

    public static IEnumerable<Article> All => Prices.Select(static price => new Article(price.Key, price.Value));

    /// <summary>The items with their prices, one for each article; null where an article does not exist.</summary>
    public static IReadOnlyList<OrderItem>? Price(IEnumerable<NewItem> items)
    {
        var priced = new List<OrderItem>();
        foreach (var article in items.GroupBy(static item => item.Sku!, StringComparer.Ordinal))
        {
            if (!Prices.TryGetValue(article.Key, out var price))
            {
                return null;
            }

            priced.Add(new OrderItem(article.Key, article.Sum(static item => item.Quantity!.Value), price));
        }

        return priced;
    }

    /// <summary>An article.</summary>
    internal sealed record Article(string Sku, decimal Price);
}
