//! [`Sorted`]: a small map over handles.

/// A map kept as a sorted vector. Handles are few and given out in order, so a lookup is a short
/// search in one block of memory, and it compiles to a fraction of the code of a tree: an agent's
/// file is loaded and compiled while the market waits.
#[derive(Debug, Clone)]
pub(crate) struct Sorted<K, V>(Vec<(K, V)>);

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord + Copy, V> Sorted<K, V> {
    fn find(&self, key: K) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.cmp(&key))
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        let index = self.find(key).ok()?;
        self.0.get(index).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let index = self.find(key).ok()?;
        self.0.get_mut(index).map(|(_, value)| value)
    }

    pub(crate) fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let index = self.find(key).unwrap_or_else(|index| {
            self.0.insert(index, (key, make()));
            index
        });
        &mut self.0[index].1
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.find(key) {
            Ok(index) => self.0[index].1 = value,
            Err(index) => self.0.insert(index, (key, value)),
        }
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        self.find(key).ok().map(|index| self.0.remove(index).1)
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        self.0.retain(|(_, value)| keep(value));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (K, &mut V)> {
        self.0.iter_mut().map(|(key, value)| (*key, value))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn it_holds_what_a_tree_holds() {
        let (mut sorted, mut tree) = (Sorted::default(), BTreeMap::new());
        for step in 0_u32..2_000 {
            let key = step.wrapping_mul(2_654_435_761) >> 26;
            match step % 5 {
                0 => assert_eq!(sorted.remove(key), tree.remove(&key)),
                1 => {
                    let made = *sorted.get_or_insert_with(key, || step);
                    assert_eq!(made, *tree.entry(key).or_insert(step));
                }
                _ => {
                    sorted.insert(key, step);
                    tree.insert(key, step);
                }
            }
            assert_eq!(sorted.get(key), tree.get(&key));
            assert!(sorted.iter().eq(tree.iter().map(|(key, value)| (*key, value))));
        }
        sorted.retain(|value| value % 2 == 0);
        tree.retain(|_, value| *value % 2 == 0);
        assert!(sorted.iter().eq(tree.iter().map(|(key, value)| (*key, value))));
    }
}
